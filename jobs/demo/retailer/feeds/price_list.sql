SELECT filed(week * 7) AS file_day, code AS product_id, price.regular_price, price AS selling_price,
       CASE WHEN is_promoted THEN 'promotion' ELSE 'regular' END AS price_type, on_day(week * 7) AS valid_from,
       on_day(week * 7 + 6) AS valid_to
FROM price JOIN product USING (product_id) ORDER BY 1, valid_from, 2
