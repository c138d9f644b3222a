SELECT filed(day) AS file_day, 'V' || row_number() OVER (ORDER BY day, kind, cell_id) AS movement_id,
       store.code AS store_id, product.code AS product_id, ['receipt', 'spoilage', 'adjustment'][kind + 1] AS movement_type,
       units, on_day(day) AS moved_on, (product.cost * units)::DECIMAL(18, 2) AS cost_amount
FROM stock_move JOIN stock_cell USING (cell_id) JOIN store USING (store_id) JOIN product USING (product_id)
ORDER BY file_day, moved_on, kind, cell_id
