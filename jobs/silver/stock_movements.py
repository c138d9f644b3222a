"""One row per store, product, day and kind of what changed the stock: receipt, spoilage, adjustment or sale.

Sales are those of all channels. What comes back is not sold again, so a return moves nothing. What a sale took from
the shelf has no known cost: `movement_cost_amount` is null there.
"""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.verbs import MONEY, as_money, as_typed, clean, keep_newest


def build(stock_moves: DataFrame, order_lines: DataFrame) -> DataFrame:
    """Movements as booked, and sales as movements, summed to the day."""
    booked = stock_moves.transform(with_types).transform(keep_newest, "movement_date", "movement_id")
    return booked.transform(sum_booked).unionByName(order_lines.transform(sum_sales))


KEY = ("store_id", "product_id", "month_start_date", "movement_date", "movement_type")


def with_types(stock_moves: DataFrame) -> DataFrame:
    """Received text as types."""
    return stock_moves.withColumns(
        {column: clean(column) for column in ("movement_id", "store_id", "product_id")}
        | {
            "movement_type": F.lower(clean("movement_type")),
            "movement_date": F.col("moved_date"),
            "month_start_date": F.trunc("moved_date", "month"),
            "units": as_typed("units", "int"),
            "cost_amount": as_typed("cost_amount", MONEY),
        }
    )


def sum_booked(moves: DataFrame) -> DataFrame:
    """Movements of the books by day and kind."""
    return moves.groupBy(*KEY).agg(
        F.sum("units").alias("moved_unit_count"), as_money(F.sum("cost_amount")).alias("movement_cost_amount")
    )


def sum_sales(order_lines: DataFrame) -> DataFrame:
    """Units sold by day."""
    return (
        order_lines.where("line_type = 'sale' AND quantity <> 0")
        .withColumns(
            {
                "movement_date": F.col("order_date"),
                "month_start_date": F.trunc("order_date", "month"),
                "movement_type": F.lit("sale"),
            }
        )
        .groupBy(*KEY)
        .agg(
            (-F.sum("quantity")).alias("moved_unit_count"),
            F.lit(None).cast(MONEY).alias("movement_cost_amount"),
        )
    )
