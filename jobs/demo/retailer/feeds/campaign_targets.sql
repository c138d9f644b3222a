SELECT announced(start_day) AS file_day, campaign_code(campaign_id) AS campaign_id, member_id,
       CASE WHEN is_held_out THEN 'control' ELSE 'treatment' END AS test_group
FROM target JOIN campaign USING (campaign_id) JOIN card USING (person_id) ORDER BY 1, 2, 3
