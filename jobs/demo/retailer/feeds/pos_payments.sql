SELECT till_filed(store_id, day) AS file_day, number AS order_id, payment_number, method, amount, iso(moment(day, second)) AS paid_at
FROM payment JOIN "order" USING (order_id) WHERE channel = 0
UNION ALL
SELECT till_filed(store_id, day), order_id, 1, 'refund', -(list_amount - retail_discount - coupon_discount), iso(moment(day, second))
FROM till WHERE line_type = 'return'
ORDER BY ALL
