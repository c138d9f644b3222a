"""One row per store, month and kind of expense."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.verbs import MONEY, ORIGIN, as_typed, clean, keep_newest


def build(finance_expenses: DataFrame) -> DataFrame:
    """The newest workbook that names a store, month and kind wins."""
    return (
        finance_expenses.withColumns({"store_id": clean("store_id"), "expense_type": F.lower(clean("account"))})
        .transform(keep_newest, "month_start_date", "store_id", "expense_type")
        .select(
            "month_start_date",
            "store_id",
            "expense_type",
            as_typed("amount", MONEY).alias("expense_amount"),
            *ORIGIN,
        )
    )
