SELECT filed(week * 7) AS file_day, code AS product_id, competitor, competitor_price AS price, on_day(week * 7) AS seen_on
FROM competitor JOIN product USING (product_id) ORDER BY file_day, seen_on, product_id
