"""One row per entry of the ledger: one account, one side.

`entry_amount` is debit less credit: what a store owns or spends is positive, what it earns or owes negative, and the
entries of a day of posting sum to nothing.
"""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.verbs import MONEY, ORIGIN, as_money, as_typed, clean, keep_newest


def build(ledger_entries: DataFrame) -> DataFrame:
    """The newest word on each entry wins."""
    return (
        ledger_entries.withColumns({column: clean(column) for column in ("entry_id", "store_id", "account")})
        # posting_date is in the key so that a day can be rebuilt alone; a posted entry keeps its day.
        .transform(keep_newest, "posting_date", "entry_id")
        .select(
            "entry_id",
            "posting_date",
            "store_id",
            F.col("account").alias("ledger_account"),
            as_typed("debit", MONEY).alias("debit_amount"),
            as_typed("credit", MONEY).alias("credit_amount"),
            *ORIGIN,
        )
        .withColumn("entry_amount", as_money(F.col("debit_amount") - F.col("credit_amount")))
    )
