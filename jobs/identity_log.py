"""Which accounts changed customers, and why: told from the change feed of silver.identities, run by run."""

import duckdb
import pyarrow as pa

# An account's customer over versions; then every version in which it changed. The old id lives on: a split. The new one
# was there before: a merge. Neither: the cluster has another founder, an elder account that came late.
_MOVES = """
WITH told AS (
    SELECT _commit_version AS version, run_id, _commit_timestamp AS changed_at, account_system, account_id,
           max(customer_id) FILTER (_change_type IN ('delete', 'update_preimage')) AS old_customer_id,
           max(customer_id) FILTER (_change_type IN ('insert', 'update_postimage')) AS new_customer_id
    FROM feed GROUP BY ALL
), span AS (
    SELECT new_customer_id AS customer_id, version,
           lead(version, 1, 9223372036854775807)
               OVER (PARTITION BY account_system, account_id ORDER BY version) AS until
    FROM told
)
SELECT version, run_id, changed_at, account_system, account_id, old_customer_id, new_customer_id,
       CASE WHEN EXISTS (FROM span s WHERE s.customer_id = old_customer_id
                         AND s.version <= told.version AND s.until > told.version) THEN 'split'
            WHEN EXISTS (FROM span s WHERE s.customer_id = new_customer_id
                         AND s.version < told.version AND s.until >= told.version) THEN 'merge'
            ELSE 'new founder' END AS change
FROM told WHERE old_customer_id <> new_customer_id ORDER BY version, old_customer_id, account_system, account_id"""


def moves(feed: pa.Table) -> pa.Table:
    """One row per account and version in which it went from one customer to another."""
    with duckdb.connect() as db:
        db.register("feed", feed)
        return db.sql(_MOVES).to_arrow_table()
