"""One row per line of an order that was paid, over all channels: one product sold or returned.

Amounts, by the netting rules of docs/decisions/0201-amounts.md:
list_amount = received amount + retail discount + coupon match (the shelf price);
net_amount = received amount (what the retailer keeps, coupons paid back by their issuer included);
paid_amount = received amount - coupon discount (what left the customer's purse).
A return line is negative in quantity and in every amount, however the till signed it, and so nets within its order.
A line sent again replaces the one it repeats: the newest file wins. Lines of products unknown to the master stay.
A refund of an online line is an order of its own with one return line, dated by the day of the refund, as a till's
return ticket is; only what was paid back is known of it, so its three amounts are equal.
"""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from jobs.platforms import PAID, latest_orders
from jobs.verbs import MONEY, ORIGIN, as_typed, clean, keep_newest


def build(
    pos_lines: DataFrame,
    app_orders: DataFrame,
    tmall_orders: DataFrame,
    jd_orders: DataFrame,
    refund_lines: DataFrame,
) -> DataFrame:
    """Received lines, typed, each once, with signs and amounts by rule."""
    till = (
        pos_lines.transform(with_types)
        # order_date is in the key so that a day can be rebuilt alone; a till never moves a line to another day.
        .transform(keep_newest, "order_date", "order_id", "line_number")
        .transform(with_signs)
        .transform(with_amounts)
    )
    online = latest_orders(app_orders, tmall_orders, jd_orders).transform(explode_paid)
    return till.unionByName(online).unionByName(refund_lines.transform(as_return_lines), allowMissingColumns=True)


RECEIVED_AMOUNTS = ("sales_amount", "retail_discount", "coupon_discount", "coupon_match_discount")


def with_types(pos_lines: DataFrame) -> DataFrame:
    """Received text as types; a discount that is not given is none."""
    return pos_lines.withColumns(
        {column: clean(column) for column in ("order_id", "store_id", "member_id", "product_id")}
        | {column: F.coalesce(as_typed(column, MONEY), F.lit(0).cast(MONEY)) for column in RECEIVED_AMOUNTS[1:]}
        | {
            "line_number": as_typed("line_number", "int"),
            "line_type": F.lower(clean("line_type")),
            "ordered_at": as_typed("transaction_timestamp", "timestamp"),
            "quantity": as_typed("quantity", "int"),
            "sales_amount": as_typed("sales_amount", MONEY),
        }
    )


def with_signs(lines: DataFrame) -> DataFrame:
    """Returns negative, however the till signed them."""
    return lines.withColumns({column: negate_return(F.col(column)) for column in ("quantity", *RECEIVED_AMOUNTS)})


def negate_return(value: Column) -> Column:
    """A value as it is on a sale, below zero on a return."""
    return F.when(F.col("line_type") == "return", -F.abs(value)).otherwise(value)


def with_amounts(lines: DataFrame) -> DataFrame:
    """The three amounts of the netting rules, and the discounts between them."""
    sales, retail, coupon, match = (F.col(column) for column in RECEIVED_AMOUNTS)
    return lines.select(
        "order_id",
        "line_number",
        "order_date",
        "ordered_at",
        F.lit("pos").alias("channel"),
        "store_id",
        F.when(F.col("member_id").isNotNull(), F.lit("erp")).alias("account_system"),
        F.col("member_id").alias("account_id"),
        "member_id",
        "product_id",
        "line_type",
        "quantity",
        (sales + retail + match).cast(MONEY).alias("list_amount"),
        sales.cast(MONEY).alias("net_amount"),
        (sales - coupon).cast(MONEY).alias("paid_amount"),
        retail.cast(MONEY).alias("retail_discount_amount"),
        coupon.cast(MONEY).alias("coupon_discount_amount"),
        match.cast(MONEY).alias("coupon_match_amount"),
        *ORIGIN,
    )


def explode_paid(orders: DataFrame) -> DataFrame:
    """The lines of paid online orders."""
    lines = orders.where(F.col("order_status").isin(*PAID)).select("*", F.inline("items"))
    return lines.select(
        "order_id",
        "line_number",
        "order_date",
        "ordered_at",
        "channel",
        "store_id",
        "account_system",
        "account_id",
        "member_id",
        "product_id",
        F.lit("sale").alias("line_type"),
        "quantity",
        "list_amount",
        "net_amount",
        F.col("net_amount").alias("paid_amount"),
        "retail_discount_amount",
        F.lit(0).cast(MONEY).alias("coupon_discount_amount"),
        "coupon_match_amount",
        *ORIGIN,
    )


def as_return_lines(refund_lines: DataFrame) -> DataFrame:
    """Refunds in the shape of lines."""
    amount, none = (-F.col("refunded_amount")).cast(MONEY), F.lit(0).cast(MONEY)
    return refund_lines.select(
        F.col("refund_id").alias("order_id"),
        "line_number",
        "order_date",
        "ordered_at",
        "channel",
        "store_id",
        "account_system",
        "account_id",
        "member_id",
        "product_id",
        F.lit("return").alias("line_type"),
        (-F.col("quantity")).alias("quantity"),
        *[amount.alias(name) for name in ("list_amount", "net_amount", "paid_amount")],
        *[none.alias(f"{name}_amount") for name in ("retail_discount", "coupon_discount", "coupon_match")],
    )
