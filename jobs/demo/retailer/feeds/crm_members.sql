SELECT file_day, native_id AS crm_id, member_number AS member_id, name, phone, email, gender, birth_date, address,
       document_number, on_day(registered_day) AS registered_on
FROM account CROSS JOIN quarter WHERE system = 'crm' AND registered_day <= file_day ORDER BY 1, 2
