SELECT filed(survey.day) AS file_day, 'NPS' || order_id AS answer_id, number AS order_no, score, text AS comment,
       on_day(survey.day) AS answered_on
FROM survey JOIN "order" USING (order_id) ORDER BY file_day, answered_on, order_id
