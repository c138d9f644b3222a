"""The history of members; each rule by example: tests/golden/members."""

import random
from datetime import date, timedelta
from itertools import pairwise

from jobs.silver.members import build
from tests.frames import make, rows_of


def test_on_any_day_the_history_says_what_the_newest_dump_by_then_said(spark):
    dice = random.Random(7)
    dumps = [
        {
            "member_id": str(member),
            "_file_date": date(2017, 1, 1) + timedelta(days=dice.randrange(20)),
            "_row_number": row,
            "age_band": dice.choice(["25-34", "35-44", None]),
            "kids_count": dice.choice(["0", None]),
        }
        for member in range(40)
        for row in range(dice.randrange(1, 8))
    ]
    periods = rows_of(
        build(make(spark, "member_attributes", dumps), make(spark, "crm_deletions")),
        "member_id", "valid_from", "valid_to", "is_current", "age_band", "kids_count",
    )  # fmt: skip
    for member in range(40):
        mine = [p[1:] for p in periods if p[0] == str(member)]
        assert sum(is_current for _, _, is_current, *_ in mine) == 1
        for offset in range(25):
            day = date(2017, 1, 1) + timedelta(days=offset)
            seen = [d for d in dumps if d["member_id"] == str(member) and d["_file_date"] <= day]
            said = [(p[3], p[4]) for p in mine if p[0] <= day and (p[1] is None or day < p[1])]
            newest = max(seen, key=lambda d: (d["_file_date"], d["_row_number"]), default=None)
            assert said == ([(newest["age_band"], newest["kids_count"])] if newest else [])
        ends = sorted((start, end) for start, end, *_ in mine)
        assert all(a[1] == b[0] for a, b in pairwise(ends)), "periods leave no gap"
        states = [p[3:] for p in sorted(mine, key=lambda p: p[0])]
        assert all(a != b for a, b in pairwise(states)), "each period is a change"
