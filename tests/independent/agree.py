"""Hold a lake's gold tables against their independent recomputation: `python -m tests.independent.agree --help`."""

import argparse
import sys
from datetime import date

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from tests.independent import expected

TOLERANCE = 1e-9  # of ratios; whole numbers and money must be equal
# Terms of the expected units are rounded to a millionth of a unit before they are summed.
LOOSE = {"expected_unit_count": 1e-4, "unit_lift": 1e-4}


def find_differences(want: pa.Table, have: pa.Table, keys: list[str]) -> list[str]:
    """Every way in which two tables differ, in words with an example; none if they hold the same rows."""
    if set(want.column_names) != set(have.column_names):
        return [f"columns differ: {sorted(set(want.column_names) ^ set(have.column_names))}"]
    con = duckdb.connect()
    con.register("want", want)
    con.register("have", have)
    near = [n for n in want.column_names if pa.types.is_floating(want.schema.field(n).type) or n in LOOSE]
    exact = ", ".join(n for n in want.column_names if n not in near)
    found = []
    for this, that in (("want", "have"), ("have", "want")):
        extra = f"SELECT {exact} FROM {this} EXCEPT ALL SELECT {exact} FROM {that}"
        rows = con.execute(f"SELECT count(*) OVER (), x FROM ({extra}) x ORDER BY x LIMIT 1").fetchone()
        if rows:
            found.append(f"{rows[0]} rows only in {this}, such as {rows[1]}")
    for column in near:
        by = LOOSE.get(column, TOLERANCE)
        rows = con.execute(f"""
            SELECT count(*) OVER (), w, h
            FROM (SELECT want.{column}::DOUBLE AS w, have.{column}::DOUBLE AS h
                  FROM want JOIN have USING ({", ".join(keys)}))
            WHERE (w IS NULL) <> (h IS NULL) OR abs(w - h) > {by} * greatest(1, abs(w)) LIMIT 1""").fetchone()
        if rows:
            found.append(f"{column} differs in {rows[0]} rows, such as {rows[1]} against {rows[2]}")
    return found


def main() -> int:
    """Compare every table of a lake; the exit code says whether all agree."""
    from deltalake import DeltaTable

    from jobs.kit import contracts

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lake", default=".shoplake/lake", help="root of the Delta tables")
    parser.add_argument("--every", type=int, default=1, help="the slice: every n-th household (4 for the default demo)")
    parser.add_argument("--as-of", type=date.fromisoformat, default=date(2017, 12, 31))
    parser.add_argument("--last", type=date.fromisoformat, default=date(2017, 12, 31), help="last day of the slice")
    parser.add_argument(
        "--stores", nargs="*", help="stores whose placements the slice has (367 406 in the default demo)"
    )
    said = parser.parse_args()
    con = expected.connect(said.every, said.last)
    differs = False
    for name, compute in expected.TABLES.items():
        contract = contracts.load(f"gold.{name}")
        have = DeltaTable(f"{said.lake}/gold/{name}").to_pyarrow_table()
        if "as_of_date" in have.column_names:
            have = have.filter(pc.equal(have["as_of_date"], pa.scalar(said.as_of)))
        more = {"stores": said.stores} if name == "promotion_lift" else {}
        want = compute(con, said.as_of, **more)
        found = find_differences(want, have, list(contract.keys))
        print(f"{name:22} {want.num_rows:9,} rows  {'; '.join(found) or 'equal'}")
        differs |= bool(found)
    return int(differs)


if __name__ == "__main__":
    sys.exit(main())
