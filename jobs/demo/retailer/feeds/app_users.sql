SELECT filed(greatest(registered_day, 0)) AS file_day, native_id AS openid, union_id AS unionid, phone, name AS nickname,
       member_number AS member_no, birth_date AS birthday, iso(moment(registered_day, 30000 + account_id % 50000)) AS registered_at
FROM account WHERE system = 'app' ORDER BY file_day, registered_at, openid
