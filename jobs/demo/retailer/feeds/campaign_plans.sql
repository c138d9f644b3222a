SELECT announced(start_day) AS file_day, campaign_code(campaign_id) AS campaign_id, name_zh, name_en, channel_name(channel) AS channel,
       (count(*) * max(cost) * 1.1 + 500)::DECIMAL(18, 2) AS budget, coupon_share AS discount_share
FROM campaign JOIN touch USING (campaign_id) GROUP BY ALL ORDER BY 1, 2, 5
