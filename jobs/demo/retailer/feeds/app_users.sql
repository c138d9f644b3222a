-- A card that is issued later is not known when one registers.
SELECT filed(greatest(a.registered_day, 0)) AS file_day, a.native_id AS openid, a.union_id AS unionid, a.phone, a.name AS nickname,
       CASE WHEN card.registered_day <= a.registered_day THEN a.member_number END AS member_no, a.birth_date AS birthday,
       iso(moment(a.registered_day, 30000 + a.account_id % 50000)) AS registered_at
FROM account a LEFT JOIN account card ON card.system = 'erp' AND card.native_id = a.member_number
WHERE a.system = 'app' ORDER BY file_day, registered_at, openid
