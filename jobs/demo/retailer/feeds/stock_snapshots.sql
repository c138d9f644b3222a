SELECT day AS file_day, store.code AS store_id, product.code AS product_id, on_day(day) AS counted_on, b.units::INT AS on_hand
FROM balance b JOIN stock_cell USING (cell_id) JOIN store USING (store_id) JOIN product USING (product_id)
UNION ALL
SELECT 0, store.code, product.code, on_day(-1), opening
FROM stock_cell JOIN store USING (store_id) JOIN product USING (product_id)
ORDER BY 1, 4, 2, 3
