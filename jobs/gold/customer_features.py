"""One row per customer with a purchase up to `as_of`: how recently, often, regularly and for what they shop.

Purchases of all channels count as orders; what came back is netted in the amounts. Only orders dated `as_of` or earlier
count, so that rows which come later never change an earlier feature, and the churn model may call `build` for any past
cutoff (two customers who turn out to be one are one in all their past). A window of n days is the n days that end with
`as_of`, that day included. Shares and means are 0 where the window is empty; gaps are null where fewer than two visit
days make none. Departments and categories are those of today's product master, which has no history.
"""

from datetime import date, timedelta

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from jobs.verbs import UNKNOWN, keep_until, share_of, sum_money


def build(customer_orders: DataFrame, order_lines: DataFrame, products: DataFrame, *, as_of: date) -> DataFrame:
    """Features of all customers who ever bought, as of one day."""
    known = customer_orders.transform(keep_until, "order_date", as_of)
    year = known.where(is_within(LONG, as_of))
    spend = order_lines.transform(per_customer_and_category, year, products).transform(share_spend)
    # One to at most one, twice: every part has one row per customer.
    return (
        known.transform(total_orders, as_of)
        .join(year.where("is_purchase").transform(measure_gaps), on="customer_id", how="left")
        .join(spend, on="customer_id", how="left")
        .fillna(0, ["visit_day_count_365d", "category_count_365d"])
        .fillna(0.0, [*DEPARTMENT_SHARES, "private_label_share_365d", *TOP_SHARES])
        .withColumns({"as_of_date": F.lit(as_of), "recency_in_gaps": F.col("recency_days") / F.col("mean_gap_days")})
    )


SHORT, MIDDLE, LONG = 28, 91, 365
DEPARTMENT_SHARES = {
    "grocery_share_365d": ("GROCERY",),
    "drug_share_365d": ("DRUG GM",),
    "fuel_share_365d": ("FUEL",),
    "produce_share_365d": ("PRODUCE",),
    "meat_share_365d": ("MEAT", "MEAT-PCKGD"),
    "deli_share_365d": ("DELI", "SALAD BAR", "CHEF SHOPPE"),
}
TOP_SHARES = ("top_category_share_365d", "top3_category_share_365d")


def is_within(days: int, as_of: date) -> Column:
    """True in the last `days` days up to `as_of` (what is later was kept out before)."""
    return F.col("order_date") > F.lit(as_of - timedelta(days=days))


def total_orders(orders: DataFrame, as_of: date) -> DataFrame:
    """Recency, frequency, monetary value, basket and discount."""
    year = is_within(LONG, as_of)
    is_prior_month = is_within(2 * SHORT, as_of) & ~is_within(SHORT, as_of)
    is_weekend = F.weekday("order_date") >= 5
    is_purchase = F.col("is_purchase")
    purchase_date = F.when(is_purchase, F.col("order_date"))
    saved = F.col("list_amount") - F.col("paid_amount")
    totals = orders.groupBy("customer_id").agg(
        F.datediff(F.lit(as_of), F.max(purchase_date)).alias("recency_days"),
        F.datediff(F.lit(as_of), F.min(purchase_date)).alias("tenure_days"),
        *[
            F.count_if(is_purchase & is_within(days, as_of)).alias(f"order_count_{days}d")
            for days in (SHORT, MIDDLE, LONG)
        ],
        F.count_if(is_purchase & is_prior_month).alias("order_count_prior_28d"),
        *[
            sum_money(F.when(is_within(days, as_of), F.col("net_amount")), f"net_amount_{days}d")
            for days in (SHORT, MIDDLE, LONG)
        ],
        F.countDistinct(F.when(is_purchase & year, F.col("store_id"))).alias("store_count_365d"),
        F.coalesce(F.sum(F.when(is_purchase & year, F.col("line_count"))), F.lit(0)).alias("lines"),
        F.count_if(is_purchase & year & is_weekend).alias("weekend_orders"),
        sum_money(F.when(year, F.col("list_amount")), "list"),
        sum_money(F.when(year, saved), "saved"),
        sum_money(F.when(year, F.col("coupon_discount_amount")), "coupons"),
    )
    order_count = F.col("order_count_365d")
    # Who only brought something back has bought before the lake begins: not of its customers.
    return (
        totals.where("recency_days is not null")
        .withColumns(
            {
                "mean_order_amount_365d": share_of(F.col("net_amount_365d"), order_count),
                "mean_order_line_count_365d": share_of(F.col("lines"), order_count),
                "weekend_order_share_365d": share_of(F.col("weekend_orders"), order_count),
                "discount_share_365d": share_of(F.col("saved"), F.col("list")),
                "coupon_share_365d": share_of(F.col("coupons"), F.col("list")),
            }
        )
        .drop("lines", "weekend_orders", "list", "saved", "coupons")
    )


def measure_gaps(orders: DataFrame) -> DataFrame:
    """Days between one visit day and the next; several orders on one day are one visit."""
    previous = F.lag("order_date").over(Window.partitionBy("customer_id").orderBy("order_date"))
    gaps = orders.select("customer_id", "order_date").distinct().withColumn("gap", F.datediff("order_date", previous))
    n, total, squares = F.count("gap"), F.sum("gap"), F.sum(F.col("gap") * F.col("gap"))
    # Sums of whole numbers are exact in any order; stddev_samp's running mean is not.
    variance = (squares - total * total / n) / (n - 1)
    return gaps.groupBy("customer_id").agg(
        F.count("*").alias("visit_day_count_365d"),
        F.when(n > 0, total / n).alias("mean_gap_days"),
        F.when(n > 1, F.sqrt(F.greatest(variance, F.lit(0.0)))).alias("sd_gap_days"),
    )


def per_customer_and_category(order_lines: DataFrame, orders: DataFrame, products: DataFrame) -> DataFrame:
    """Net amount of a customer by category, and how much of it was in each department and on the own label."""
    kinds = products.select("product_id", "department", "category", "brand")
    net = F.col("net_amount")
    # Many lines to one order (of a known customer, else none); then many lines to at most one product.
    return (
        order_lines.select("order_id", "product_id", "net_amount")
        .join(orders.select("order_id", "customer_id"), on="order_id", how="inner")
        .join(kinds, on="product_id", how="left")
        .fillna(UNKNOWN, ["category"])
        .groupBy("customer_id", "category")
        .agg(
            sum_money(net, "net"),
            *[
                sum_money(F.when(F.col("department").isin(*names), net), share)
                for share, names in DEPARTMENT_SHARES.items()
            ],
            sum_money(F.when(F.col("brand") == "Private", net), "private_label_share_365d"),
        )
    )


def share_spend(spend: DataFrame) -> DataFrame:
    """What a customer spends most on, and how the spending spreads."""
    # Equal amounts are ranked by name, so that the top category is the same in every run.
    place = F.row_number().over(Window.partitionBy("customer_id").orderBy(F.desc("net"), "category"))
    whole, top = F.sum("net"), F.sum(F.when(F.col("place") == 1, F.col("net")))
    return (
        spend.withColumn("place", place)
        .groupBy("customer_id")
        .agg(
            F.count("*").alias("category_count_365d"),
            F.max(F.when(F.col("place") == 1, F.col("category"))).alias("top_category_365d"),
            share_of(top, whole).alias("top_category_share_365d"),
            share_of(F.sum(F.when(F.col("place") <= 3, F.col("net"))), whole).alias("top3_category_share_365d"),
            *[share_of(F.sum(share), whole).alias(share) for share in [*DEPARTMENT_SHARES, "private_label_share_365d"]],
        )
    )
