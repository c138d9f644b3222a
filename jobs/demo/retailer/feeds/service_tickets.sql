-- Sent when it is opened, and again when it is resolved, if that is in another file.
WITH told AS (
    SELECT *, filed(day) AS opened_in, filed(day + (second + resolved_after_s) // 86400) AS resolved_in,
           day + (second + resolved_after_s) // 86400 <= getvariable('LAST_DAY') AS is_resolved
    FROM ticket),
sent AS (
    SELECT *, opened_in AS file_day, is_resolved AND resolved_in = opened_in AS says_so FROM told
    UNION ALL SELECT *, resolved_in, true FROM told WHERE is_resolved AND resolved_in <> opened_in)
SELECT file_day, 'CS' || lpad(order_id::VARCHAR, 10, '0') AS ticket_id, sent.channel, number AS order_id,
       subject, body, iso(moment(sent.day, sent.second)) AS opened_at,
       CASE WHEN says_so THEN iso(moment(sent.day, sent.second + resolved_after_s)) END AS resolved_at
FROM sent JOIN "order" USING (order_id) ORDER BY file_day, opened_at, ticket_id
