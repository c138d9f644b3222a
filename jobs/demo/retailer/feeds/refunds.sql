SELECT filed(day) AS file_day, 'F' || order_id || '-' || line_number AS refund_id,
       ['', 'app', 'tmall', 'jd'][channel + 1] AS platform, number AS order_no, line_number AS line_no,
       product.code AS sku, units AS qty, list_amount - retail_discount - coupon_discount AS amount, reason,
       iso(moment(day, second)) AS refunded_at
FROM returned JOIN product USING (product_id) WHERE channel > 0 ORDER BY file_day, refunded_at, refund_id
