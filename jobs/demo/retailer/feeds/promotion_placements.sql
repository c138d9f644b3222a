SELECT filed(week * 7) AS file_day, product.code AS product_id, store.code AS store_id,
       week % 52 + 1 AS week, on_day(week * 7) AS week_start,
       CASE WHEN has_display AND format <> 'convenience' THEN chr((65 + product_id % 6)::INT) ELSE '0' END AS display_location,
       CASE WHEN has_mailer THEN chr((65 + product_id % 4)::INT) ELSE '0' END AS mailer_location
FROM price JOIN product USING (product_id) JOIN assortment USING (product_id) JOIN store USING (cluster)
WHERE NOT is_warehouse AND (has_mailer OR (has_display AND format <> 'convenience')) ORDER BY ALL
