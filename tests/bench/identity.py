"""Precision, recall and seconds of identity resolution at a scale, on the accounts of simulated persons alone.

    python -m tests.bench.identity --sf 1

Makes the persons and their registrations (no sales), writes them as bronze has them, and builds silver.accounts in the
engine, then links and clusters. Compares with the truth. `--save` keeps the accounts and links for a look.
"""

import argparse
import tempfile
import time
from pathlib import Path

import pyarrow.parquet as pq

TECHNICAL = (
    "'f' AS _file_id, 'f.csv' AS _source_file, DATE '2025-12-31' AS _file_date, row_number() OVER () AS _row_number, "
    "TIMESTAMPTZ '2026-01-01 00:00:00+00' AS _arrived_at"
)
DAY = "(DATE '2024-01-01' + registered_day)"
AT = f"strftime({DAY}, '%Y-%m-%d') || ' 12:00:00'"
BRONZE = {
    "erp_members": f"SELECT native_id AS member_id, name, phone, gender, birth_date, document_number, address, "
    f"{DAY} AS registration_date FROM account WHERE system = 'erp'",
    "crm_members": f"SELECT native_id AS crm_id, member_number AS member_id, name, phone, email, gender, birth_date, "
    f"address, document_number, {DAY}::VARCHAR AS registered_on FROM account WHERE system = 'crm'",
    # A card that is issued later is not known when one registers.
    "app_users": f"SELECT native_id AS openid, union_id AS unionid, phone, name AS nickname, birth_date AS birthday, "
    "CASE WHEN card_day <= registered_day THEN member_number END AS member_no, "
    f"{AT} AS registered_at, {DAY} AS registration_date FROM account LEFT JOIN (SELECT native_id AS member_number, "
    "registered_day AS card_day FROM account WHERE system = 'erp') USING (member_number) WHERE system = 'app'",
    "tmall_orders": f"SELECT native_id AS buyer_nick, name AS receiver_name, phone AS receiver_mobile, "
    f"address AS receiver_address, {AT} AS modified, {DAY} AS order_date FROM account WHERE system = 'tmall'",
    "jd_orders": f"SELECT native_id AS pin, "
    "to_json({'fullname': name, 'mobile': phone, 'fullAddress': address})::VARCHAR AS consignee_info, "
    f"{AT} AS modified, {DAY} AS order_date FROM account WHERE system = 'jd'",
    "social_interactions": f"SELECT 'any' AS platform, to_json({{'handle': native_id, 'unionid': union_id}})::VARCHAR "
    f"AS social_user, {AT} AS occurred_at, {DAY} AS interaction_date FROM account WHERE system = 'social'",
}


def main() -> None:
    said = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    said.add_argument("--sf", type=float, default=0.01)
    said.add_argument("--seed", type=int, default=1)
    said.add_argument("--save", type=Path)
    args = said.parse_args()
    with tempfile.TemporaryDirectory(prefix="shoplake-identity-") as folder:
        measure(args.sf, args.seed, Path(folder), args.save)


def measure(sf: float, seed: int, folder: Path, save: Path | None) -> None:
    from jobs.demo import scoreboard
    from jobs.demo.retailer import people, places
    from jobs.demo.retailer.world import Scale, world
    from jobs.identity import cluster, link
    from jobs.kit.session import session
    from jobs.silver import accounts

    with world(Scale(sf, seed), folder) as made:
        places.make(made)
        people.make(made)
        for table, query in BRONZE.items():
            made.run(f"COPY (SELECT *, {TECHNICAL} FROM ({query})) TO '{folder / table}.parquet'")
        truth = made.con.sql("SELECT system, native_id, person_id FROM account").df()
    spark = session()
    frames = {t: spark.read.parquet(str(folder / f"{t}.parquet")) for t in BRONZE}
    found = timed("accounts", lambda: accounts.build(**frames).toArrow())
    links = timed("links", lambda: link(found))
    clusters = timed("clusters", lambda: cluster(links))
    print(f"{len(truth):,} accounts of {truth['person_id'].nunique():,} persons, {links.num_rows:,} links")
    for score in scoreboard.score_identities(truth, found.to_pandas(), links.to_pandas()):
        print("  ".join(scoreboard.cells(score)))
    if save:
        save.mkdir(parents=True, exist_ok=True)
        for name, table in (("accounts", found), ("links", links), ("clusters", clusters)):
            pq.write_table(table, save / f"{name}.parquet")
        truth.to_parquet(save / "truth.parquet")


def timed(what, work):
    begun = time.monotonic()
    result = work()
    print(f"{what:10s} {time.monotonic() - begun:7.1f} s", flush=True)
    return result


if __name__ == "__main__":
    main()
