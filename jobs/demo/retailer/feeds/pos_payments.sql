SELECT till_filed(store_id, day) AS file_day, number AS order_id, payment_number, method, amount, iso(moment(day, second)) AS paid_at
FROM payment JOIN "order" USING (order_id) WHERE channel = 0
UNION ALL
SELECT till_filed(store_id, day), 'R' || number[2:] || '-' || day, 1, 'refund',
       -sum(list_amount - retail_discount - coupon_discount)::DECIMAL(18, 2), iso(moment(day, second))
FROM returned WHERE channel = 0 GROUP BY day, second, number, store_id
ORDER BY ALL
