SELECT file_day, member_id,
       CASE WHEN dice(20, p.person_id) < 0.3 THEN NULL ELSE
           CASE WHEN age < 25 THEN '18-24' WHEN age < 35 THEN '25-34' WHEN age < 45 THEN '35-44'
                WHEN age < 55 THEN '45-54' WHEN age < 65 THEN '55-64' ELSE '65+' END END AS age_band,
       CASE WHEN dice(21, p.person_id) < 0.5 THEN NULL ELSE
           ['Under 60K', '60-120K', '120-200K', '200-350K', '350K+'][
               1 + least(4, (dice(22, p.person_id) * 4 + (segment = 7)::INT)::INT)] END AS income_band,
       NULL AS home_ownership, NULL AS marital_status,
       CASE WHEN dice(23, p.person_id) < 0.4 THEN NULL ELSE least(5, members) || CASE WHEN members > 4 THEN '+' ELSE ''
           END END AS household_size,
       NULL AS household_composition, NULL AS kids_count
FROM (FROM quarter QUALIFY row_number() OVER (ORDER BY file_day) % 4 = 1) CROSS JOIN card
JOIN (SELECT person_id, segment, joined_day, date_diff('year', birth_date, DATE '2024-07-01') AS age,
             count(*) OVER (PARTITION BY household_id) AS members FROM person) p USING (person_id)
WHERE joined_day <= file_day ORDER BY 1, 2
