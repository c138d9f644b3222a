"""One row per customer with a purchase up to `as_of`: what the customer is worth, as class and tier.

**Contribution** is the margin of 365 days: net amount less the cost of the goods sold, at today's unit cost of the
product master, which has no history. What comes back is not sold again: it lowers the net amount and not the cost.
Where the cost of less than KNOWN_COST_SHARE of the customer's sales is known, the net amount stands in, and
`contribution_basis` says so. Its score counts, like those of customer_rfm, the customers who are strictly worse:
1 + floor(5 * worse / customers).

**Value class** (RFM and contribution), first match:
1. high-value: contribution score from HIGH_CONTRIBUTION_SCORE, recency score from ACTIVE_RECENCY_SCORE;
2. at-risk: the same contribution, and longer silent than that;
3. potential: recency score from ACTIVE_RECENCY_SCORE, frequency score from PROMISING_FREQUENCY_SCORE;
4. general: everybody else.

**Value tier**, first match: silent (no purchase for SILENT_DAYS), top (net amount of 365 days above
TOP_SPENDER_AMOUNT), newcomer (one purchase ever, within NEWCOMER_DAYS), regular. The parameters: jobs/parameters.py.
"""

from datetime import date, timedelta

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from jobs import parameters as p
from jobs.gold.customer_rfm import WINDOW_DAYS, score
from jobs.verbs import as_money, cost_of_line, keep_until, share_of, sum_money


def build(
    customer_rfm: DataFrame,
    customer_orders: DataFrame,
    order_lines: DataFrame,
    products: DataFrame,
    *,
    as_of: date,
) -> DataFrame:
    """RFM beside margin, classed."""
    known = customer_orders.transform(keep_until, "order_date", as_of)
    # One to one, twice: all three have one row per customer with a purchase; a customer may have no line in the window.
    return (
        customer_rfm.join(known.transform(total_lifetime), on="customer_id", how="inner")
        .join(order_lines.transform(total_margin, known, products, as_of), on="customer_id", how="left")
        .transform(with_contribution)
        .withColumns({"value_class": name_class(), "value_tier": name_tier()})
        .select(*COLUMNS)
    )


COLUMNS = (
    "as_of_date",
    "customer_id",
    "value_class",
    "value_tier",
    "recency_score",
    "frequency_score",
    "monetary_score",
    "contribution_score",
    "contribution_amount_365d",
    "contribution_basis",
    "net_amount_365d",
    "margin_amount_365d",
    "known_cost_share_365d",
    "order_count_365d",
    "recency_days",
    "lifetime_order_count",
    "lifetime_net_amount",
    "lifetime_days",
)


def total_lifetime(orders: DataFrame) -> DataFrame:
    """All that is known of a customer's purchases, from the first to the last."""
    is_purchase, day = F.col("is_purchase"), F.when(F.col("is_purchase"), F.col("order_date"))
    return orders.groupBy("customer_id").agg(
        F.count_if(is_purchase).alias("lifetime_order_count"),
        sum_money("net_amount", "lifetime_net_amount"),
        F.datediff(F.max(day), F.min(day)).alias("lifetime_days"),
    )


def total_margin(order_lines: DataFrame, orders: DataFrame, products: DataFrame, as_of: date) -> DataFrame:
    """Net amount less the cost of goods, over the window."""
    year = orders.where(F.col("order_date") > F.lit(as_of - timedelta(days=WINDOW_DAYS)))
    net = F.col("net_amount")
    # Many lines to one order of a known customer, else none; then many lines to at most one product.
    return (
        order_lines.select("order_id", "product_id", "line_type", "quantity", "net_amount")
        .join(year.select("order_id", "customer_id"), on="order_id", how="inner")
        .join(products.select("product_id", "unit_cost_amount"), on="product_id", how="left")
        .groupBy("customer_id")
        .agg(
            sum_money(net - cost_of_line(), "margin"),
            share_of(F.sum(F.when(F.col("unit_cost_amount").isNotNull(), F.abs(net))), F.sum(F.abs(net))).alias(
                "known_cost_share_365d"
            ),
        )
    )


def with_contribution(customers: DataFrame) -> DataFrame:
    """The margin where enough of the cost is known, else the net amount; and its score."""
    is_known = F.coalesce(F.col("known_cost_share_365d") >= p.KNOWN_COST_SHARE, F.lit(False))
    return customers.withColumns(
        {
            "known_cost_share_365d": F.coalesce("known_cost_share_365d", F.lit(0.0)),
            "margin_amount_365d": F.when(is_known, F.col("margin")),
            "contribution_amount_365d": as_money(F.when(is_known, F.col("margin")).otherwise(F.col("net_amount_365d"))),
            "contribution_basis": F.when(is_known, "margin").otherwise("net amount"),
        }
    ).withColumn("contribution_score", score(F.col("contribution_amount_365d")))


def name_class() -> Column:
    """The first class that fits."""
    is_worth_much = F.col("contribution_score") >= p.HIGH_CONTRIBUTION_SCORE
    is_active = F.col("recency_score") >= p.ACTIVE_RECENCY_SCORE
    is_frequent = F.col("frequency_score") >= p.PROMISING_FREQUENCY_SCORE
    return (
        F.when(is_worth_much & is_active, "high-value")
        .when(is_worth_much, "at-risk")
        .when(is_active & is_frequent, "potential")
        .otherwise("general")
    )


def name_tier() -> Column:
    """The first tier that fits."""
    return (
        F.when(F.col("recency_days") >= p.SILENT_DAYS, "silent")
        .when(F.col("net_amount_365d") > p.TOP_SPENDER_AMOUNT, "top")
        .when((F.col("lifetime_order_count") == 1) & (F.col("recency_days") < p.NEWCOMER_DAYS), "newcomer")
        .otherwise("regular")
    )
