SELECT min(day) OVER (PARTITION BY year(date)) AS file_day, date AS holiday_date, holiday AS holiday_name, festival AS season
FROM (SELECT * FROM day) WHERE holiday IS NOT NULL OR festival IS NOT NULL ORDER BY 2
