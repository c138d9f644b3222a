SELECT month_end AS file_day, strftime(on_day(month_end), '%Y-%m') AS month, store_id, category, revenue, cost
FROM monthly ORDER BY 1, 3, 4
