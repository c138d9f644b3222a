SELECT till_filed(store_id, day) AS file_day, order_id, store.code AS store_id, 1 + n % 6 AS till_id,
       'E' || (100 + (n * 7 + store_id) % 40) AS cashier_id, member_id,
       iso(moment(day, second)) AS transaction_timestamp, line_type AS ticket_type, original_order_id, line_count,
       (CASE line_type WHEN 'return' THEN -1 ELSE 1 END * amount)::DECIMAL(18, 2) AS total_amount
FROM (SELECT order_id, store_id, n, day, second, line_type, original_order_id, account_id, count(*) AS line_count,
             sum(list_amount - retail_discount - coupon_discount) AS amount FROM till GROUP BY ALL)
JOIN store USING (store_id) LEFT JOIN erp USING (account_id) ORDER BY file_day, transaction_timestamp, order_id
