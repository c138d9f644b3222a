SELECT filed(review.day) AS file_day, 'RV' || lpad((order_id::BIGINT * 64 + line_number)::VARCHAR, 12, '0') AS review_id,
       ['store', 'app', 'tmall', 'jd'][channel + 1] AS platform, number AS order_no, code AS sku, stars,
       text AS content, iso(moment(review.day, review.second)) AS written_at
FROM review JOIN "order" USING (order_id) JOIN product USING (product_id) ORDER BY file_day, written_at, review_id
