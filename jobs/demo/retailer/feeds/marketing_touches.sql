WITH touched AS (
    SELECT row_number() OVER (ORDER BY campaign_id, person_id, channel) AS n, *, unnest([0, 1, 2]) AS step FROM touch),
told AS (
    SELECT *, second + [0, seen_after_s, seen_after_s + clicked_after_s][step + 1] AS at_s FROM touched
    WHERE step = 0 OR (step = 1 AND seen_after_s >= 0) OR (step = 2 AND clicked_after_s >= 0))
SELECT filed(day + at_s // 86400) AS file_day, 'X' || lpad(n::VARCHAR, 9, '0') AS touch_id,
       campaign_code(campaign_id) AS campaign_id, channel_name(channel) AS channel, member_id,
       ['send', 'exposure', 'click'][step + 1] AS event, iso(moment(day, at_s)) AS event_at,
       CASE WHEN step = 0 THEN cost ELSE 0 END AS cost
FROM told JOIN card USING (person_id) WHERE day + at_s // 86400 <= getvariable('LAST_DAY')
ORDER BY file_day, event_at, touch_id
