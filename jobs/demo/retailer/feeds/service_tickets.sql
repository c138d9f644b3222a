SELECT filed(ticket.day) AS file_day, 'CS' || lpad(order_id::VARCHAR, 10, '0') AS ticket_id, ticket.channel, number AS order_id,
       subject, body, iso(moment(ticket.day, ticket.second)) AS opened_at,
       iso(moment(ticket.day, ticket.second + resolved_after_s)) AS resolved_at
FROM ticket JOIN "order" USING (order_id) ORDER BY file_day, opened_at, ticket_id
