SELECT filed(at_s // 86400) AS file_day, 'D' || lpad(delivery_id::VARCHAR, 9, '0') AS delivery_id, courier AS courier_id,
       iso(moment(at_s // 86400, at_s % 86400)) AS recorded_at, point.latitude AS lat, point.longitude AS lon, speed_m_s AS speed
FROM point JOIN delivery USING (delivery_id) ORDER BY file_day, at_s, delivery_id
