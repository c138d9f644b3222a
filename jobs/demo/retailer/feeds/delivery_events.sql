SELECT filed(s // 86400) AS file_day, 'D' || lpad(delivery_id::VARCHAR, 9, '0') AS delivery_id, number AS order_no,
       CASE WHEN channel = 1 THEN courier END AS courier_id, event, iso(moment(s // 86400, s % 86400)) AS event_at
FROM (SELECT delivery.*, unnest(CASE WHEN failed_attempts > 0
                 THEN [{'event': 'picked_up', 's': shipped_s}, {'event': 'attempt_failed', 's': (shipped_s + 2 * finished_s) // 3},
                       {'event': 'delivered', 's': finished_s}]
                 ELSE [{'event': 'picked_up', 's': shipped_s}, {'event': 'delivered', 's': finished_s}] END, recursive := true)
      FROM delivery)
JOIN "order" USING (order_id) ORDER BY file_day, event_at, delivery_id
