"""One row per store and month for which till lines, ledger or finance's workbook say anything: do they agree?

The **reconciliation** of sales to finance, to the cent: net amount of all lines, returns taken off, against account
6001 of the ledger and the revenue of the workbook; and the cost of goods of the two finance sources. A side that has
not come is null and judged by nobody (a month is booked on its last day): `is_reconciled` is about those that have.

A snapshot, though each month is known alone: what share of store-months may disagree is a question to all of them, and
with few stores one wrong booking is a large share of its month. The lines are summed in gold.sales_daily already.
"""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from jobs.verbs import as_money, sum_money


def build(sales_daily: DataFrame, finance_ledger: DataFrame, store_results: DataFrame) -> DataFrame:
    """The three sides of every store-month, and their differences."""
    key = ["month_start_date", "store_id"]
    lines = (
        sales_daily.withColumn("month_start_date", F.trunc("order_date", "month"))
        .groupBy(*key)
        .agg(sum_money("net_amount", "lines_revenue_amount"))
    )
    workbook = store_results.groupBy(*key).agg(
        sum_money("revenue_amount", "workbook_revenue_amount"), sum_money("goods_cost_amount", "workbook_cost_amount")
    )
    differences = {
        "ledger_difference_amount": difference("ledger_revenue_amount", "lines_revenue_amount"),
        "workbook_difference_amount": difference("workbook_revenue_amount", "lines_revenue_amount"),
        "cost_difference_amount": difference("ledger_cost_amount", "workbook_cost_amount"),
    }
    # One to at most one, twice.
    return (
        lines.join(finance_ledger.transform(sum_accounts), on=key, how="full")
        .join(workbook, on=key, how="full")
        .withColumns(differences)
        .withColumn("is_reconciled", F.greatest(*map(F.abs, differences)) == 0)
    )


REVENUE, COST_OF_GOODS = "6001", "6401"


def sum_accounts(finance_ledger: DataFrame) -> DataFrame:
    """Revenue, which the ledger keeps on the credit side, and cost of goods."""
    account, amount = F.col("ledger_account"), F.col("entry_amount")
    return finance_ledger.groupBy(F.trunc("posting_date", "month").alias("month_start_date"), "store_id").agg(
        as_money(F.sum(F.when(account == REVENUE, -amount))).alias("ledger_revenue_amount"),
        as_money(F.sum(F.when(account == COST_OF_GOODS, amount))).alias("ledger_cost_amount"),
    )


def difference(said: str, known: str) -> Column:
    """How far one side is above another."""
    return as_money(F.col(said) - F.col(known))
