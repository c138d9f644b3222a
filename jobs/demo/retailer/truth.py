"""What is so, and no system knows. Parquet files that only the scoreboard reads: never a model, never a table."""

from pathlib import Path

from jobs.demo.files import put, quoted
from jobs.demo.retailer.world import World

TRUTH = {
    "people": "SELECT system, native_id, person_id, is_duplicate FROM account ORDER BY ALL",
    "calendar": "SELECT min(date) AS first_date, max(date) AS last_date FROM day",
    "persons": """
        SELECT person_id, segment, kind AS temper, joined_day, left_day, named_visits_per_day, visits_per_day,
               mean_lifetime_days, sensitivity
        FROM person JOIN habit USING (person_id) JOIN rate USING (person_id) JOIN temper USING (person_id)
        ORDER BY person_id""",
    "rules": """
        SELECT a.type_en AS antecedent, c.type_en AS consequent, chance
        FROM rule JOIN type a ON a.type_id = antecedent JOIN type c ON c.type_id = consequent ORDER BY ALL""",
    "elasticities": "SELECT code AS product_id, elasticity FROM product ORDER BY 1",
    "demand_factors": """
        SELECT code AS product_id, week, factor, factor_convenience, factor_unpromoted
        FROM price JOIN product USING (product_id) ORDER BY ALL""",
    "campaign_effects": "SELECT * FROM target ORDER BY campaign_id, person_id",
    "order_causes": """
        SELECT number AS order_id, channel, person_id, campaign_id FROM "order" ORDER BY order_id""",
    "demand": """
        SELECT store.code AS store_id, product.code AS product_id, day, sum(demand.units)::INT AS wanted,
               sum(sold)::INT AS sold
        FROM demand JOIN visit_day USING (order_id) JOIN store USING (store_id) JOIN product USING (product_id)
        GROUP BY ALL ORDER BY ALL""",
    "lines_by_rule": """
        SELECT number AS order_id, line_number FROM line JOIN "order" USING (order_id) WHERE is_by_rule ORDER BY ALL""",
    "reviews": """
        SELECT 'RV' || lpad((order_id::BIGINT * 64 + line_number)::VARCHAR, 12, '0') AS review_id, topic, is_telling,
               CASE WHEN stars <= 2 THEN -1 WHEN stars = 3 THEN 0 ELSE 1 END AS sentiment
        FROM review ORDER BY 1""",
    "tickets": "SELECT 'CS' || lpad(order_id::VARCHAR, 10, '0') AS ticket_id, topic FROM ticket ORDER BY 1",
}  # fmt: skip


def write(world: World, folder: Path) -> None:
    """Write every truth anew."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, query in TRUTH.items():
        fresh = folder / f".{name}.tmp"
        world.run(f"COPY ({query}) TO {quoted(fresh)} (FORMAT parquet)")
        put(fresh, folder / f"{name}.parquet")
