"""One row per pair of accounts of two customers that may be one, for a person to decide.

What the two told is in accounts. A pair that other links have made one customer's meanwhile needs nobody's decision.
"""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F


def build(identity_links: DataFrame, identities: DataFrame) -> DataFrame:
    """Uncertain pairs across customers."""
    pairs = identity_links.where("decision = 'review'")
    for side in ("left", "right"):
        named = {f"{side}_{column}": F.col(column) for column in ("account_system", "account_id", "customer_id")}
        known = identities.select(*[column.alias(name) for name, column in named.items()])
        pairs = pairs.join(known, on=[f"{side}_account_system", f"{side}_account_id"], how="inner")
    return pairs.where("left_customer_id <> right_customer_id").select(
        *[
            f"{side}_{column}"
            for side in ("left", "right")
            for column in ("account_system", "account_id", "customer_id")
        ],
        "link_rule",
        "match_probability",
        "reason",
    )
