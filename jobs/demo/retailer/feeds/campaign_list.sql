SELECT announced(start_day) AS file_day, campaign_code(campaign_id) AS campaign_id, campaign_type, on_day(start_day) AS start_date,
       on_day(start_day + days - 1) AS end_date
FROM campaign ORDER BY 1, 2
