SELECT file_day, number AS tid,
       map {'created': 'WAIT_BUYER_PAY', 'paid': 'WAIT_SELLER_SEND_GOODS', 'shipped': 'WAIT_BUYER_CONFIRM_GOODS',
            'finished': 'TRADE_FINISHED', 'closed': 'TRADE_CLOSED_BY_TAOBAO'}[state] AS status,
       strftime(moment(day0, second0), '%Y-%m-%d %H:%M:%S') AS created,
       strftime(moment(day, second), '%Y-%m-%d %H:%M:%S') AS modified,
       CASE WHEN state NOT IN ('created', 'closed') THEN paid::VARCHAR ELSE '0.00' END AS payment,
       native_id AS buyer_nick, a.name AS receiver_name, a.phone AS receiver_mobile, a.address AS receiver_address,
       {'order': list_transform(items, lambda i: {'oid': number || i.line_no, 'outer_sku_id': i.sku, 'num': i.qty,
           'price': i.list_price::VARCHAR, 'discount_fee': (i.discount + i.coupon)::VARCHAR, 'total_fee': i.amount::VARCHAR})} AS orders
FROM online told JOIN basket USING (order_id) JOIN account a USING (account_id)
WHERE told.channel = 2 ORDER BY file_day, modified, tid
