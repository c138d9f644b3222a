-- A wrong booking is wrong on both sides: the ledger balances, and disagrees with the tills.
WITH booked AS (
    SELECT month_end, store_id, cost, revenue + CASE
        WHEN dice(70, month_end * 1000 + store_id[2:]::INT) < getvariable('LEDGER_ERROR') THEN 100 ELSE 0 END AS revenue
    FROM (SELECT month_end, store_id, sum(cost) AS cost, sum(revenue) AS revenue FROM monthly GROUP BY ALL)),
entries AS (
    SELECT month_end, store_id, '6001' AS account, 0 AS debit, revenue AS credit FROM booked
    UNION ALL SELECT month_end, store_id, '1122', revenue, 0 FROM booked
    UNION ALL SELECT month_end, store_id, '6401', cost, 0 FROM booked
    UNION ALL SELECT month_end, store_id, '1405', 0, cost FROM booked)
SELECT month_end AS file_day, 'J' || row_number() OVER (ORDER BY month_end, store_id, account) AS entry_id,
       on_day(month_end) AS posted_on, account, store_id, debit::DECIMAL(18, 2) AS debit, credit::DECIMAL(18, 2) AS credit
FROM entries ORDER BY month_end, store_id, account
