WITH sent AS (
    SELECT * FROM till
    UNION ALL SELECT * FROM till WHERE line_type = 'sale' AND dice(2, n * 64 + line_number) < getvariable('SENT_TWICE'))
SELECT till_filed(store_id, day) AS file_day, order_id, line_number::VARCHAR AS line_number, store.code AS store_id, member_id,
       product.code AS product_id, iso(moment(day, second)) AS transaction_timestamp, line_type,
       units::VARCHAR AS quantity, (list_amount - retail_discount - coupon_discount)::VARCHAR AS sales_amount,
       retail_discount::VARCHAR AS retail_discount, '0.00' AS coupon_discount,
       coupon_discount::VARCHAR AS coupon_match_discount
FROM sent JOIN store USING (store_id) JOIN product USING (product_id) LEFT JOIN erp USING (account_id)
UNION ALL
SELECT filed(day), 'T' || n, '1', code, NULL, 'P000001', iso(moment(day, second)), 'sale',
       ['1,5', '¥12', 'TEST', '', 'NaN'][n % 5 + 1], ['12.00', '1,234.50', 'TEST', '0', 'NaN'][n // 5 % 5 + 1],
       '0.00', '0.00', '0.00'
FROM (SELECT day, second, code, order_id AS n FROM "order" JOIN store USING (store_id)
      WHERE channel = 0 AND dice(3, order_id) < getvariable('BAD_LINE') * 4)
ORDER BY ALL
