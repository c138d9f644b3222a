SELECT filed(day) AS file_day, member_id, coupon_code(campaign_id) AS coupon_id, campaign_code(campaign_id) AS campaign_id,
       on_day(day) AS redeemed_on
FROM "order" JOIN campaign USING (campaign_id) JOIN card USING (person_id) WHERE coupon_share > 0
GROUP BY ALL ORDER BY ALL
