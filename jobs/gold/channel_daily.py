"""One row per business day and channel of sale with an order: what was sold, given back, left unpaid, out of balance.

Returns count on the day on which they came back. Customers are counted by the card or account they named.
"""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.verbs import MONEY, sum_money


def build(orders: DataFrame, order_balances: DataFrame) -> DataFrame:
    """Orders summed to day and channel, beside those that do not balance."""
    balances = order_balances.select(
        "order_id",
        "order_date",
        (
            F.coalesce(F.abs("lines_difference_amount"), F.lit(0))
            + F.coalesce(F.abs("payments_difference_amount"), F.lit(0))
        )
        .cast(MONEY)
        .alias("off"),
    )
    is_purchase, off = F.col("is_purchase"), F.coalesce(F.col("off"), F.lit(0))
    account = F.struct("account_system", "account_id")
    return (
        # One to at most one.
        orders.join(balances, on=["order_id", "order_date"], how="left")
        .groupBy("order_date", "channel")
        .agg(
            F.count_if(is_purchase).alias("order_count"),
            F.count_if(~is_purchase & F.col("has_return")).alias("return_count"),
            F.count_if(F.col("line_count") == 0).alias("unpaid_order_count"),
            F.countDistinct(F.when(is_purchase & F.col("account_id").isNotNull(), account)).alias("account_count"),
            F.count_if(is_purchase & F.col("account_id").isNull()).alias("anonymous_order_count"),
            F.sum("unit_count").alias("unit_count"),
            *[sum_money(column, column) for column in AMOUNTS],
            F.count_if(off != 0).alias("unbalanced_order_count"),
            sum_money(off, "unbalanced_amount"),
        )
    )


AMOUNTS = (
    "list_amount",
    "net_amount",
    "paid_amount",
    "retail_discount_amount",
    "coupon_discount_amount",
    "coupon_match_amount",
    "returned_amount",
)
