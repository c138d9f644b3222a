-- What the feeds share. Constants come as variables: see systems.py.

-- Times: days count from the first day, seconds from a day's midnight.
CREATE OR REPLACE MACRO moment(day, second) AS getvariable('FIRST')::TIMESTAMP + to_days(day::INT) + to_seconds(second::BIGINT);
CREATE OR REPLACE MACRO on_day(day) AS (getvariable('FIRST') + day::INT);
CREATE OR REPLACE MACRO iso(t) AS strftime(t, '%Y-%m-%dT%H:%M:%S+08:00');

-- The day of the file in which something of a day is sent: the month's last while history is sent, then the day itself.
CREATE OR REPLACE MACRO filed(day) AS least(getvariable('LAST_DAY'), CASE
    WHEN day >= getvariable('DAILY_FROM') THEN day
    ELSE least(last_day(getvariable('FIRST') + day::INT) - getvariable('FIRST'), getvariable('DAILY_FROM') - 1) END);

-- A number from 0 to 1 that is always the same for the same throw.
CREATE OR REPLACE MACRO dice(salt, n) AS
    (hash(n::BIGINT * 1000003 + salt * 7919 + getvariable('SEED')) >> 11)::DOUBLE / (1::BIGINT << 53);

CREATE OR REPLACE MACRO campaign_code(n) AS 'C' || lpad(n::VARCHAR, 3, '0');
CREATE OR REPLACE MACRO coupon_code(n) AS (5000000000 + n)::VARCHAR;
CREATE OR REPLACE MACRO announced(start_day) AS greatest(start_day - 7, 0);

-- A till's lines of a day come late now and then.
CREATE OR REPLACE MACRO till_filed(store_id, day) AS filed(day + CASE
    WHEN dice(1, store_id * 4000 + day) < getvariable('LATE_STORE') THEN 1 + (store_id + day) % 3 ELSE 0 END);

CREATE OR REPLACE VIEW quarter AS SELECT day AS file_day FROM day WHERE month % 3 = 1 AND date = date_trunc('month', date);
CREATE OR REPLACE VIEW month AS SELECT day, (last_day(date) - getvariable('FIRST'))::INT AS month_end FROM day;

CREATE OR REPLACE VIEW erp AS SELECT account_id, native_id AS member_id FROM account WHERE system = 'erp';
CREATE OR REPLACE VIEW card AS
SELECT person_id, min_by(native_id, account_id) AS member_id FROM account WHERE system = 'erp' AND NOT is_duplicate GROUP BY 1;

CREATE OR REPLACE VIEW returned AS
SELECT r.order_id, r.day, r.second, r.reason, l.line_number, l.product_id, r.units, o.store_id, o.account_id, o.number, o.channel,
       round(l.list_amount * r.units / l.units, 2)::DECIMAL(18, 2) AS list_amount,
       round(l.retail_discount * r.units / l.units, 2)::DECIMAL(18, 2) AS retail_discount,
       round(l.coupon_discount * r.units / l.units, 2)::DECIMAL(18, 2) AS coupon_discount
FROM "return" r JOIN line l USING (order_id, line_number) JOIN "order" o USING (order_id);

CREATE OR REPLACE VIEW till AS
SELECT day, second, number AS order_id, line_number, store_id, account_id, product_id, 'sale' AS line_type, units,
       list_amount, retail_discount, coupon_discount, NULL AS original_order_id, order_id AS n
FROM line JOIN "order" USING (order_id) WHERE channel = 0
UNION ALL
SELECT day, second, 'R' || number[2:] || '-' || line_number, line_number, store_id, account_id, product_id, 'return',
       -- One till in four signs what comes back, the others do not.
       CASE WHEN store_id % 4 = 0 THEN -units ELSE units END, list_amount, retail_discount, coupon_discount, number, order_id
FROM returned WHERE channel = 0;

-- Online orders at each state they went through, and those that were never paid.
CREATE OR REPLACE TEMP TABLE online AS
SELECT filed(day + second // 86400) AS file_day, * FROM (
SELECT channel, order_id, number, account_id, store_id, person_id, state, s.day, s.second, o.day AS day0, o.second AS second0
FROM state s JOIN "order" o USING (order_id)
UNION ALL
SELECT channel, order_id,
       CASE channel WHEN 1 THEN 'SO9' || lpad(order_id::VARCHAR, 9, '0')
                    WHEN 2 THEN (5000000000000000000 + order_id::BIGINT * 7919)::VARCHAR
                    ELSE (280000000000 + order_id::BIGINT * 13)::VARCHAR END,
       account_id, store_id, person_id, state, u.day, u.second + delay, u.day, u.second
FROM unpaid u JOIN "order" o USING (order_id)
CROSS JOIN (SELECT unnest(['created', 'closed']) AS state, unnest([0, 1800]) AS delay))
ORDER BY file_day;

CREATE OR REPLACE TEMP TABLE basket AS
SELECT order_id, list({'line_no': line_number, 'sku': product.code, 'qty': units, 'list_price': line.regular_price,
                       'price': price, 'amount': list_amount - retail_discount - coupon_discount,
                       'discount': retail_discount, 'coupon': coupon_discount} ORDER BY line_number) AS items,
       sum(list_amount) AS list_amount, sum(retail_discount) AS discount, sum(coupon_discount) AS coupon,
       sum(list_amount - retail_discount - coupon_discount) AS paid
FROM line JOIN product USING (product_id) JOIN "order" USING (order_id) WHERE channel > 0 GROUP BY 1;

-- What is on the shelves at the end of each month, by the books.
CREATE OR REPLACE VIEW balance AS
WITH moved AS (
    SELECT cell_id, day, units FROM stock_move
    UNION ALL
    SELECT cell_id, "order".day, -line.units FROM line JOIN "order" USING (order_id)
    JOIN stock_cell c ON c.store_id = "order".store_id AND c.product_id = line.product_id),
summed AS (SELECT cell_id, month_end AS day, sum(units) AS units FROM moved JOIN month USING (day) GROUP BY ALL)
SELECT cell_id, day, opening + sum(coalesce(units, 0)) OVER (PARTITION BY cell_id ORDER BY day) AS units
FROM stock_cell CROSS JOIN (SELECT DISTINCT month_end AS day FROM month) LEFT JOIN summed USING (cell_id, day);

CREATE OR REPLACE VIEW monthly AS
SELECT month_end, store.code AS store_id, department_en AS category, sum(revenue)::DECIMAL(18, 2) AS revenue,
       sum(booked.cost)::DECIMAL(18, 2) AS cost
FROM (
    SELECT "order".day, store_id, product_id, list_amount - retail_discount - coupon_discount AS revenue, cost_amount AS cost
    FROM line JOIN "order" USING (order_id)
    UNION ALL
    SELECT day, store_id, product_id, -(list_amount - retail_discount - coupon_discount), 0 FROM returned) booked
JOIN month USING (day) JOIN store USING (store_id) JOIN product USING (product_id) JOIN type USING (type_id) GROUP BY ALL;
