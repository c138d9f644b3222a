"""One row per member whom any source knew of by `as_of`: CRM, till, campaigns or coupons.

The members are the union of what the sources name, and everything else is joined to that union from the left, each side
already one row per member: no join loses a member, none doubles one.
"""

from datetime import date
from functools import reduce

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.verbs import keep_until, sum_money


def build(
    members: DataFrame,
    orders: DataFrame,
    campaign_touches: DataFrame,
    coupon_redemptions: DataFrame,
    *,
    as_of: date,
) -> DataFrame:
    """The union of all members, with what each source knows of them."""
    parts = [
        members.transform(keep_valid, as_of),
        orders.where("member_id is not null").transform(keep_until, "order_date", as_of).transform(total_orders, as_of),
        campaign_touches.transform(keep_until, "start_date", as_of).transform(count_campaigns),
        coupon_redemptions.transform(keep_until, "redemption_date", as_of).transform(count_redemptions),
    ]
    everyone = reduce(DataFrame.union, [part.select("member_id") for part in parts]).distinct()
    # One to at most one, four times.
    wide = reduce(lambda known, part: known.join(part, on="member_id", how="left"), parts, everyone)
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
COUNTS = ["order_count", "store_count", "campaign_count", "redemption_count"]
AMOUNTS = ("list_amount", "net_amount", "paid_amount", "returned_amount")


def keep_valid(members: DataFrame, as_of: date) -> DataFrame:
    """The period that held at the end of `as_of`."""
    until = F.col("valid_to")
    return (
        members.transform(keep_until, "valid_from", as_of)
        .where(until.isNull() | (until > F.lit(as_of)))
        .select("member_id", *ATTRIBUTES, F.lit(True).alias("is_in_crm"))
    )


def total_orders(orders: DataFrame, as_of: date) -> DataFrame:
    """What the till knows of a member."""
    first, last = F.min("order_date"), F.max("order_date")
    return orders.groupBy("member_id").agg(
        first.alias("first_order_date"),
        last.alias("last_order_date"),
        F.datediff(F.lit(as_of), first).alias("tenure_days"),
        F.datediff(F.lit(as_of), last).alias("recency_days"),
        F.count("*").alias("order_count"),
        F.countDistinct("store_id").alias("store_count"),
        *[sum_money(column, column) for column in AMOUNTS],
    )


def count_campaigns(campaign_touches: DataFrame) -> DataFrame:
    """Campaigns that have begun."""
    return campaign_touches.groupBy("member_id").agg(F.count("*").alias("campaign_count"))


def count_redemptions(coupon_redemptions: DataFrame) -> DataFrame:
    """Coupons redeemed."""
    return coupon_redemptions.groupBy("member_id").agg(F.count("*").alias("redemption_count"))


def with_amounts(wide: DataFrame) -> DataFrame:
    """Zero for members who never bought."""
    # fillna does not reach decimals.
    return wide.withColumns({column: F.coalesce(column, F.lit(0).cast("decimal(18,2)")) for column in AMOUNTS})
