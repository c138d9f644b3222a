"""One row per store and `as_of`: what the store is, sold, earned, kept in stock, threw away and cost.

Figures are of the last twelve full months up to `as_of` (fewer while the lake knows fewer), because expenses and stock
are told by the month. The contribution is the margin less the store's own expenses. A part that the retailer does not
have (stock, fresh goods, expenses) is null, not zero.
"""

from datetime import date, timedelta
from functools import reduce

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.verbs import MONEY, share_of, sum_money


def build(
    stores: DataFrame,
    orders: DataFrame,
    category_margin: DataFrame,
    stock_turnover: DataFrame,
    fresh_loss: DataFrame,
    store_expenses: DataFrame,
    *,
    as_of: date,
) -> DataFrame:
    """Every store, with what each source knows of it."""
    first, last = find_full_months(as_of)
    month = F.col("month_start_date").between(F.lit(first), F.lit(last))
    parts = [
        orders.where(F.col("order_date").between(F.lit(first), F.last_day(F.lit(last)))).transform(total_orders),
        category_margin.where(month)
        .groupBy("store_id")
        .agg(
            F.countDistinct("month_start_date").alias("month_count"),
            sum_money("net_amount", "net_amount"),
            sum_money("goods_cost_amount", "goods_cost_amount"),
            sum_money("margin_amount", "margin_amount"),
        ),
        stock_turnover.where(month)
        .groupBy("store_id")
        .agg(sum_money("sold_cost_amount", "turned_cost"), sum_money("mean_stock_cost_amount", "stock_cost_months")),
        fresh_loss.where(month)
        .groupBy("store_id")
        .agg(sum_money("spoiled_cost_amount", "spoiled_cost_amount"), sum_money("sold_cost_amount", "fresh_sold_cost")),
        store_expenses.where(month).groupBy("store_id").agg(sum_money("expense_amount", "expense_amount")),
    ]
    # One to at most one, five times: every part has one row per store.
    wide = reduce(lambda known, part: known.join(part, on="store_id", how="left"), parts, stores.select(*ATTRIBUTES))
    return wide.transform(with_zeros).transform(with_rates).withColumn("as_of_date", F.lit(as_of)).select(*COLUMNS)


MONTHS = 12
ATTRIBUTES = ("store_id", "store_name", "store_format", "province", "city", "area_m2", "opened_date")
COUNTS = ("month_count", "order_count", "account_count")
AMOUNTS = ("net_amount", "returned_amount", "goods_cost_amount", "margin_amount")
COLUMNS = (
    "as_of_date",
    *ATTRIBUTES,
    *COUNTS,
    *AMOUNTS,
    "margin_rate",
    "expense_amount",
    "contribution_amount",
    "net_amount_per_m2",
    "monthly_turnover_rate",
    "spoiled_cost_amount",
    "fresh_loss_rate",
)


def find_full_months(as_of: date) -> tuple[date, date]:
    """The first day of the first and of the last of the full months."""
    after = (as_of + timedelta(days=1)).replace(day=1)
    last = (after - timedelta(days=1)).replace(day=1)
    return last.replace(year=last.year - 1, month=last.month + 1) if last.month < MONTHS else last.replace(
        month=1
    ), last


def total_orders(orders: DataFrame) -> DataFrame:
    """Purchases, and how many cards and accounts made them."""
    is_purchase, account = F.col("is_purchase"), F.struct("account_system", "account_id")
    return orders.groupBy("store_id").agg(
        F.count_if(is_purchase).alias("order_count"),
        F.countDistinct(F.when(is_purchase & F.col("account_id").isNotNull(), account)).alias("account_count"),
        sum_money("returned_amount", "returned_amount"),
    )


def with_zeros(wide: DataFrame) -> DataFrame:
    """A store without sales has sold nothing."""
    # fillna does not reach decimals.
    return wide.fillna(0, [*COUNTS]).withColumns({a: F.coalesce(a, F.lit(0).cast(MONEY)) for a in AMOUNTS})


def with_rates(wide: DataFrame) -> DataFrame:
    """What the sums mean per month, per square metre and per yuan sold."""
    lost = F.col("spoiled_cost_amount")
    return wide.withColumns(
        {
            "margin_rate": share_of(F.col("margin_amount"), F.col("net_amount")),
            "contribution_amount": (F.col("margin_amount") - F.col("expense_amount")).cast(MONEY),
            "net_amount_per_m2": F.try_divide("net_amount", "area_m2").cast(MONEY),
            # Both are sums over months, so this is the mean turnover of a month.
            "monthly_turnover_rate": F.try_divide(F.col("turned_cost"), F.col("stock_cost_months")).cast("double"),
            "fresh_loss_rate": F.try_divide(lost, lost + F.col("fresh_sold_cost")).cast("double"),
        }
    )
