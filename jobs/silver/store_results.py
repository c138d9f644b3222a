"""One row per store, month and department with a result in finance's workbook."""

from pyspark.sql import DataFrame

from jobs.verbs import MONEY, ORIGIN, as_typed, clean, keep_newest


def build(finance_monthly: DataFrame) -> DataFrame:
    """The newest workbook that names a store, month and department wins."""
    # What finance calls a category is the product hierarchy's department.
    return (
        finance_monthly.withColumns({"store_id": clean("store_id"), "department": clean("category")})
        .transform(keep_newest, "month_start_date", "store_id", "department")
        .select(
            "month_start_date",
            "store_id",
            "department",
            as_typed("revenue", MONEY).alias("revenue_amount"),
            as_typed("cost", MONEY).alias("goods_cost_amount"),
            *ORIGIN,
        )
    )
