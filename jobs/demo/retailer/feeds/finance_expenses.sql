SELECT month_end AS file_day, strftime(on_day(month_end), '%Y-%m') AS month, code AS store_id, account,
       (share * (20000 + area_m2 * 55) * (0.9 + 0.2 * dice(60 + n, store_id * 100 + month_end)))::DECIMAL(18, 2) AS amount
FROM store
CROSS JOIN (SELECT DISTINCT month_end FROM month)
CROSS JOIN (SELECT unnest(['rent', 'wages', 'energy', 'other']) AS account, unnest([0.38, 0.44, 0.1, 0.08]) AS share,
                   unnest([1, 2, 3, 4]) AS n)
ORDER BY 1, 3, 4
