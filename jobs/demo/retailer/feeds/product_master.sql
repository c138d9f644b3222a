SELECT 0 AS file_day, code AS product_id, supplier AS manufacturer_id, department_en AS department,
       CASE WHEN is_own_brand THEN 'Private' ELSE 'National' END AS brand, category_en AS category,
       type_en AS product_type, pack AS package_size
FROM product JOIN type USING (type_id) ORDER BY 2
