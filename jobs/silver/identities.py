"""One row per account: the customer whose it is.

`customer_id` is made of the founder, the eldest account of the cluster, so that it is a function of the data: who joins
takes the id that is there, of two clusters that turn out to be one the elder's id stays, and a part that splits off has
its own founder's. An id always means the cluster of the same account, and is never another's.
"""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.identity import cluster
from jobs.verbs import over_arrow, own_customer_id


def build(identity_links: DataFrame) -> DataFrame:
    """Connected accounts, under the id of the eldest."""
    return over_arrow(identity_links, cluster).select(
        "account_system",
        "account_id",
        own_customer_id(F.col("founder_system"), F.col("founder_id")).alias("customer_id"),
        "first_seen_date",
        "link_method",
        "match_probability",
    )
