"""One row per order of the app and the marketplaces, at its latest known state, paid or not.

States are those of jobs/platforms.py for all platforms. What the order is made of is in order_lines, once it is paid.
"""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.platforms import latest_orders
from jobs.verbs import ORIGIN


def build(app_orders: DataFrame, tmall_orders: DataFrame, jd_orders: DataFrame) -> DataFrame:
    """Headers of the newest states."""
    headers = latest_orders(app_orders, tmall_orders, jd_orders).withColumn(
        "line_count", F.size("items").cast("bigint")
    )
    return headers.select(*COLUMNS, *ORIGIN)


COLUMNS = (
    "order_id",
    "order_date",
    "ordered_at",
    "channel",
    "order_status",
    "updated_at",
    "paid_at",
    "account_system",
    "account_id",
    "member_id",
    "store_id",
    "payment_method",
    "stated_amount",
    "line_count",
)
