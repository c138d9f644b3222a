-- Planned from how many are meant, a share of creative work for each channel included.
SELECT announced(start_day) AS file_day, campaign_code(campaign_id) AS campaign_id, name_zh, name_en,
       channel_name(channel) AS channel, (meant * (0.02 + cost * 1.1) + 500)::DECIMAL(18, 2) AS budget,
       coupon_share AS discount_share
FROM campaign JOIN (SELECT campaign_id, channel, max(cost) AS cost FROM touch GROUP BY ALL) USING (campaign_id)
JOIN (SELECT campaign_id, count(*) AS meant FROM target GROUP BY 1) USING (campaign_id) ORDER BY 1, 2, 5
