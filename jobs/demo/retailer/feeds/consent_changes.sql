SELECT filed(greatest(registered_day, 0)) AS file_day, native_id AS crm_id, channel, 'marketing' AS purpose,
       CASE WHEN dice(30 + n, account_id) < 0.82 THEN 'Y' ELSE 'N' END AS is_given,
       iso(moment(registered_day, 36000 + account_id % 36000)) AS changed_at
FROM account CROSS JOIN (SELECT unnest(['sms', 'email', 'app_push', 'wechat']) AS channel,
                                unnest([1, 2, 3, 4]) AS n)
WHERE system = 'crm'
UNION ALL  -- some take it back
SELECT filed(day), native_id, 'sms', 'marketing', 'N', iso(moment(day, 43200))
FROM (SELECT native_id, registered_day + 30 + (dice(40, account_id) * 600)::INT AS day FROM account
      WHERE system = 'crm' AND dice(41, account_id) < 0.05)
WHERE day BETWEEN 0 AND (SELECT max(day) FROM day)
ORDER BY ALL
