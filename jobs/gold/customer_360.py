"""One row per customer whom any source knew of by `as_of`: registrations, CRM, purchases, campaigns or coupons.

The customers are the union of what the sources name, and everything else is joined to that union from the left, each
side already one row per customer: no join loses a customer, none doubles one. Of several cards of one customer the
CRM's newest attributes count; campaigns and coupons name cards, and count for who holds them.
"""

from datetime import date
from functools import reduce

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from jobs.verbs import keep_until, sum_money, with_card_holder


def build(
    identities: DataFrame,
    members: DataFrame,
    customer_orders: DataFrame,
    campaign_touches: DataFrame,
    coupon_redemptions: DataFrame,
    *,
    as_of: date,
) -> DataFrame:
    """The union of all customers, with what each source knows of them."""
    cards, targets, redeemed = (
        with_card_holder(rows, identities)
        for rows in (
            members.transform(keep_valid, as_of),
            campaign_touches.where("not is_control").transform(keep_until, "start_date", as_of),
            coupon_redemptions.transform(keep_until, "redemption_date", as_of),
        )
    )
    parts = [
        identities.transform(keep_until, "first_seen_date", as_of).transform(count_accounts),
        cards.transform(keep_newest_card),
        customer_orders.transform(keep_until, "order_date", as_of).transform(total_orders, as_of),
        targets.groupBy("customer_id").agg(F.countDistinct("campaign_id").alias("campaign_count")),
        redeemed.groupBy("customer_id").agg(F.count("*").alias("redemption_count")),
    ]
    everyone = reduce(DataFrame.union, [part.select("customer_id") for part in parts]).distinct()
    # One to at most one, five times.
    wide = reduce(lambda known, part: known.join(part, on="customer_id", how="left"), parts, everyone)
    return (
        wide.fillna(0, COUNTS)
        .fillna(False, ["is_in_crm"])
        .transform(with_amounts)
        .withColumn("as_of_date", F.lit(as_of))
    )


ATTRIBUTES = (
    "age_band",
    "income_band",
    "home_ownership",
    "marital_status",
    "household_size",
    "household_composition",
    "kids_count",
)
SYSTEMS = ("erp", "crm", "app", "tmall", "jd", "social")
CHANNELS = ("pos", "app", "tmall", "jd")
COUNTS = [
    *[f"{system}_account_count" for system in SYSTEMS],
    "order_count",
    *[f"{channel}_order_count" for channel in CHANNELS],
    "channel_count",
    "store_count",
    "campaign_count",
    "redemption_count",
]
AMOUNTS = ("list_amount", "net_amount", "paid_amount", "returned_amount")


def count_accounts(identities: DataFrame) -> DataFrame:
    """Under how many names each system knows a customer."""
    return identities.groupBy("customer_id").agg(
        *[F.count_if(F.col("account_system") == system).alias(f"{system}_account_count") for system in SYSTEMS]
    )


def keep_valid(members: DataFrame, as_of: date) -> DataFrame:
    """The period that held at the end of `as_of`."""
    until = F.col("valid_to")
    return members.transform(keep_until, "valid_from", as_of).where(until.isNull() | (until > F.lit(as_of)))


def keep_newest_card(cards: DataFrame) -> DataFrame:
    """The attributes of the card of which the CRM last learnt something."""
    place = F.row_number().over(Window.partitionBy("customer_id").orderBy(F.desc("valid_from"), F.desc("member_id")))
    newest = cards.withColumn("_place", place).where("_place = 1")
    return newest.select("customer_id", *ATTRIBUTES, F.lit(True).alias("is_in_crm"))


def total_orders(orders: DataFrame, as_of: date) -> DataFrame:
    """What a customer bought; what came back is netted in the amounts and no order."""
    is_purchase = F.col("is_purchase")
    day, store, channel = (F.when(is_purchase, F.col(c)) for c in ("order_date", "store_id", "channel"))
    return orders.groupBy("customer_id").agg(
        F.min(day).alias("first_order_date"),
        F.max(day).alias("last_order_date"),
        F.datediff(F.lit(as_of), F.min(day)).alias("tenure_days"),
        F.datediff(F.lit(as_of), F.max(day)).alias("recency_days"),
        F.count_if(is_purchase).alias("order_count"),
        *[F.count_if(channel == name).alias(f"{name}_order_count") for name in CHANNELS],
        F.countDistinct(channel).alias("channel_count"),
        F.countDistinct(store).alias("store_count"),
        *[sum_money(column, column) for column in AMOUNTS],
    )


def with_amounts(wide: DataFrame) -> DataFrame:
    """Zero for customers who never bought."""
    # fillna does not reach decimals.
    return wide.withColumns({column: F.coalesce(column, F.lit(0).cast("decimal(18,2)")) for column in AMOUNTS})
