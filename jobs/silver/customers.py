"""One row per customer: what is known of the person behind all accounts, each field from the account to trust.

Of the values that a customer's accounts tell, the one that most of them tell counts; of those told equally often, that
of the source that SOURCES puts first; then the one told by the younger account.
"""

from functools import reduce

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

KEYS = ["account_system", "account_id"]
PERSONAL_FIRST = ("app", "crm", "erp", "jd", "tmall", "social")  # what people type themselves, and would have noticed
DESK_FIRST = ("erp", "crm", "app", "jd", "tmall", "social")  # what a desk saw a document for
SOURCES = {
    "name": DESK_FIRST,
    "phone": PERSONAL_FIRST,
    "email": PERSONAL_FIRST,
    "birth_date": DESK_FIRST,
    "gender": DESK_FIRST,
    "place": PERSONAL_FIRST,  # province and city survive together
}
COUNTED = {
    "erp": "card",
    "crm": "crm_record",
    "app": "app_account",
    "tmall": "tmall_account",
    "jd": "jd_account",
    "social": "social_account",
}


def build(accounts: DataFrame, identities: DataFrame) -> DataFrame:
    """Fields by survivorship, beside what is counted."""
    place = F.concat(F.coalesce("province", F.lit("")), F.lit("|"), "city")
    named = accounts.withColumn("place", place).join(identities.select(*KEYS, "customer_id"), on=KEYS, how="inner")
    known = named.transform(count_accounts).join(named.transform(choose_fields), on="customer_id", how="left")
    parts = {
        name: F.nullif(F.split_part("place", F.lit("|"), F.lit(n)), F.lit(""))
        for n, name in ((1, "province"), (2, "city"))
    }
    return known.withColumns(parts).drop("place")


def count_accounts(named: DataFrame) -> DataFrame:
    """Accounts by system; the eldest card is the customer's member number."""
    cards = F.when(F.col("account_system") == "erp", F.struct("first_seen_date", "account_id"))
    return named.groupBy("customer_id").agg(
        F.min("first_seen_date").alias("first_seen_date"),
        F.min(cards)["account_id"].alias("member_id"),
        F.count(cards).cast("boolean").alias("is_member"),
        *[F.count_if(F.col("account_system") == system).alias(f"{name}_count") for system, name in COUNTED.items()],
    )


def choose_fields(named: DataFrame) -> DataFrame:
    """The surviving value of each field."""
    told = [
        F.struct(
            F.lit(field).alias("field"), F.col(field).cast("string").alias("value"), rank_source(sources).alias("trust")
        )
        for field, sources in SOURCES.items()
    ]
    values = named.select("customer_id", "first_seen_date", F.inline(F.array(*told))).where("value IS NOT NULL")
    weighed = values.groupBy("customer_id", "field", "value").agg(
        F.struct(F.count("value"), F.max(F.struct("trust", "first_seen_date")), "value").alias("weight")
    )
    return weighed.groupBy("customer_id").agg(*[take_heaviest(field) for field in SOURCES])


def rank_source(sources: tuple[str, ...]) -> Column:
    """The higher, the more a system is trusted with a field."""
    return reduce(
        lambda found, rank: found.when(F.col("account_system") == sources[rank], -rank),
        range(1, len(sources)),
        F.when(F.col("account_system") == sources[0], 0),
    )


def take_heaviest(field: str) -> Column:
    """The value with the greatest weight, in its type."""
    chosen = F.max_by("value", F.when(F.col("field") == field, F.col("weight")))
    return (chosen.cast("date") if field == "birth_date" else chosen).alias(field)
