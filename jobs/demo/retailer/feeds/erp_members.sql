SELECT filed(greatest(registered_day, 0)) AS file_day, native_id AS member_id, name, phone, gender, birth_date,
       document_number, address, on_day(registered_day) AS registered_on
FROM account WHERE system = 'erp' ORDER BY 1, registered_on, 2
