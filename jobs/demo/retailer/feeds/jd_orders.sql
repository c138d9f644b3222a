SELECT file_day, number AS "orderId",
       map {'created': 'NOT_PAY', 'paid': 'WAIT_SELLER_STOCK_OUT', 'shipped': 'WAIT_GOODS_RECEIVE_CONFIRM',
            'finished': 'FINISHED_L', 'closed': 'TRADE_CANCELED'}[state] AS "orderState",
       strftime(moment(day0, second0), '%Y-%m-%d %H:%M:%S') AS "orderStartTime",
       strftime(moment(day, second), '%Y-%m-%d %H:%M:%S') AS modified,
       list_amount AS "orderTotalPrice", discount + coupon AS "orderSellerDiscount",
       CASE WHEN state NOT IN ('created', 'closed') THEN paid ELSE 0 END AS "orderPayment", native_id AS pin,
       {'fullname': a.name, 'mobile': a.phone, 'fullAddress': a.address} AS "consigneeInfo",
       list_transform(items, lambda i: {'skuId': i.sku, 'itemTotal': i.qty, 'jdPrice': i.list_price,
           'couponPrice': i.discount + i.coupon}) AS "itemInfoList"
FROM online told JOIN basket USING (order_id) JOIN account a USING (account_id)
WHERE told.channel = 3 ORDER BY file_day, modified, "orderId"
