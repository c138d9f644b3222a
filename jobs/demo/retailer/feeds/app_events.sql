-- First narrow, by file; then a file at a time, so that memory stays bounded.
CREATE OR REPLACE TEMP TABLE app_event AS
WITH told AS (
    SELECT e.rowid + 1 AS n, e.*, s.account_id, s.order_id, s.campaign_id, s.channel
    FROM event e JOIN session s USING (session_id)),
sent AS (
    SELECT *, false AS again FROM told
    UNION ALL SELECT *, true FROM told WHERE dice(50, n) < getvariable('REPEATED_EVENT'))
SELECT *, filed(day + (at_ms // 86400000) + (dice(51, n) < getvariable('LATE_EVENT') OR again)::INT) AS file_day,
       epoch_ms(moment(day, 0)) - 28800000 + at_ms + 40 + (n * 7 % 400) AS server_ts
FROM sent ORDER BY file_day;

SELECT file_day, 'e' || lpad(n::VARCHAR, 10, '0') AS event_id, event_kind(kind) AS event, server_ts,
       server_ts - 40 - (n * 7 % 400)
           + CASE WHEN dice(52, account_id) < getvariable('SKEWED_CLOCK') THEN (dice(53, account_id) * 345600000)::BIGINT - 172800000
                  ELSE 0 END AS client_ts,
       {'openid': native_id, 'unionid': union_id} AS "user",
       {'platform': ['mini_program', 'android', 'ios'][account_id % 3 + 1],
         'app_version': CASE WHEN e.day >= getvariable('RENAMED_DAY') THEN '5.0.1' ELSE '4.8.3' END} AS device,
       {'session_id': 's' || session_id,
         'campaign_id': CASE WHEN e.campaign_id >= 0 THEN campaign_code(e.campaign_id) END,
         'source': CASE WHEN e.campaign_id >= 0 THEN channel_name(e.channel) ELSE 'direct' END} AS context,
       CASE WHEN kind = 2 THEN json_object('keyword', type_zh)
            WHEN kind IN (6, 7) THEN json_object('order_no', bought.number)
            WHEN product_id >= 0 AND e.day < getvariable('RENAMED_DAY') THEN json_object('sku', product.code)
            WHEN product_id >= 0 THEN json_object('sku_id', product.code)
            ELSE json_object() END AS props
FROM app_event e JOIN account USING (account_id)
LEFT JOIN (SELECT product_id, code, type_zh FROM product JOIN type USING (type_id)) product USING (product_id)
LEFT JOIN (SELECT order_id, number FROM "order" WHERE channel = 1) bought USING (order_id)
WHERE file_day = getvariable('FILE_DAY') ORDER BY server_ts, n, again
