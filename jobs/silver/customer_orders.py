"""One row per order with lines whose buyer named a card or an account: whose order it is.

A table of its own beside `orders`, so that two customers who turn out to be one move their orders and nothing else.
"""

from pyspark.sql import DataFrame

from jobs.verbs import with_customer


def build(orders: DataFrame, identities: DataFrame) -> DataFrame:
    """Orders with their customer."""
    named = orders.where("account_id is not null and line_count > 0")
    return named.transform(with_customer, identities).select(*COLUMNS)


COLUMNS = (
    "order_id",
    "order_date",
    "ordered_at",
    "customer_id",
    "account_system",
    "account_id",
    "channel",
    "store_id",
    "is_purchase",
    "line_count",
    "unit_count",
    "list_amount",
    "net_amount",
    "paid_amount",
    "coupon_discount_amount",
    "returned_amount",
)
