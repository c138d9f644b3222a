SELECT filed(day) AS file_day, 'I' || lpad(social.rowid::VARCHAR, 9, '0') AS interaction_id, platform,
       {'handle': native_id, 'unionid': union_id} AS "user", doing AS type, object AS post_id,
       CASE WHEN doing = 'comment' THEN text END AS text, iso(moment(day, second)) AS occurred_at
FROM social JOIN account USING (account_id) ORDER BY file_day, occurred_at, interaction_id
