"""One row per band of visit frequency and `as_of`: how often customers come, and what they are worth over time.

The linkage of frequency and lifetime value: customers by their purchases of 365 days, with what they spent and
contributed in that time and since the lake knows them. It describes; that frequent customers are worth more does not
say that coming more often would make them so.
"""

from datetime import date

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from jobs.verbs import as_money, share_of, sum_money

# Bands by their least number of purchases in 365 days, the highest first.
BANDS = ((26, "26 and more"), (13, "13 to 25"), (7, "7 to 12"), (4, "4 to 6"), (2, "2 or 3"), (1, "1"), (0, "0"))


def build(customer_value: DataFrame, *, as_of: date) -> DataFrame:
    """Customers summed to their band."""
    customers = F.col("customer_count")
    summed = (
        customer_value.withColumns({"least_order_count": find_band(), "frequency_band": name_band()})
        .groupBy("least_order_count", "frequency_band")
        .agg(
            F.count("*").alias("customer_count"),
            *[sum_money(column, column) for column in AMOUNTS],
            share_of(F.sum("lifetime_days"), F.count("*")).alias("mean_lifetime_days"),
            share_of(F.count_if(F.col("value_tier") == "silent"), F.count("*")).alias("silent_share"),
        )
    )
    return summed.withColumns(
        {
            "mean_contribution_amount_365d": as_money(F.col("contribution_amount_365d") / customers),
            "mean_lifetime_net_amount": as_money(F.col("lifetime_net_amount") / customers),
            "as_of_date": F.lit(as_of),
        }
    )


AMOUNTS = ("net_amount_365d", "contribution_amount_365d", "lifetime_net_amount")


def find_band() -> Column:
    """The least number of purchases of the band."""
    return F.coalesce(*[F.when(F.col("order_count_365d") >= least, F.lit(least)) for least, _ in BANDS])


def name_band() -> Column:
    """The band in words."""
    return F.coalesce(*[F.when(F.col("order_count_365d") >= least, F.lit(name)) for least, name in BANDS])
