SELECT 0 AS file_day, code AS product_id, gtin, name_zh, name_en, brand_zh, brand_en, department_zh, category_zh,
       type_zh, cost AS unit_cost, shelf_life_days, supplier AS supplier_id
FROM product JOIN type USING (type_id) ORDER BY 2
