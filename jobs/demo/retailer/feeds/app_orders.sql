SELECT file_day, told.number AS order_no, state AS status, iso(moment(day0, second0)) AS created_at,
       iso(moment(told.day, second)) AS updated_at, {'openid': native_id, 'member_no': member_number} AS buyer,
       store.code AS store_id, {'name': a.name, 'phone': a.phone, 'address': person.address} AS receiver, items,
       {'list': list_amount, 'discount': discount, 'coupon': coupon,
        'paid': CASE WHEN state IN ('created', 'closed') THEN 0 ELSE paid END} AS amounts,
       CASE WHEN state NOT IN ('created', 'closed') THEN method END AS pay_method
FROM online told JOIN basket USING (order_id) JOIN account a USING (account_id) JOIN store USING (store_id)
JOIN person ON person.person_id = told.person_id JOIN payment USING (order_id)
WHERE file_day = getvariable('FILE_DAY') AND told.channel = 1 ORDER BY updated_at, order_no
