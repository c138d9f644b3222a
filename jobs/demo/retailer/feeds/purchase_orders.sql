SELECT filed(ordered_day) AS file_day, 'PO' || row_number() OVER (ORDER BY ordered_day, cell_id) AS purchase_order_id,
       supplier AS supplier_id, store.code AS store_id, product.code AS product_id, units,
       cost AS unit_cost, on_day(ordered_day) AS ordered_on, on_day(due_day) AS due_on
FROM purchase JOIN stock_cell USING (cell_id) JOIN store USING (store_id) JOIN product USING (product_id)
ORDER BY file_day, ordered_on, cell_id
