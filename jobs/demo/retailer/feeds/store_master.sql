SELECT 0 AS file_day, code AS store_id, name_zh || '-' || lpad(store_id::VARCHAR, 3, '0') AS store_name, format,
       province_zh AS province, name_zh AS city, area_m2, store.latitude, store.longitude,
       on_day(opened_day) AS opened_on
FROM store JOIN city USING (city_id) ORDER BY 2
