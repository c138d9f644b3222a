SELECT announced(start_day) AS file_day, coupon_code(campaign_id) AS coupon_id, code AS product_id, campaign_code(campaign_id) AS campaign_id
FROM campaign CROSS JOIN product WHERE coupon_share > 0 ORDER BY ALL
