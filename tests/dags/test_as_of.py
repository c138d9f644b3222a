"""Which business day a run is about."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from dags import as_of

NEW_YORK, SHANGHAI = ZoneInfo("America/New_York"), ZoneInfo("Asia/Shanghai")
EVENING = datetime(2017, 6, 2, 3, tzinfo=UTC)  # 23:00 on the 1st in New York, 11:00 on the 2nd in Shanghai


def choose(**given):
    nothing = {"typed": None, "woken_by": [], "logical": None, "backfill": False, "newest": []}
    return as_of.choose(**{**nothing, "run_after": EVENING, "zone": NEW_YORK, **given})


def days(*texts):
    return [date.fromisoformat(t) for t in texts]


def test_what_a_person_typed_wins():
    told = {"typed": "2017-05-05", "woken_by": [{"as_of": "2017-06-01"}], "logical": EVENING}
    assert choose(**told) == days("2017-05-05")


def test_an_asset_triggered_run_takes_every_day_of_its_events_once_and_in_order():
    events = [{"as_of": ["2017-06-02"]}, {"as_of": ["2017-06-01", "2017-06-02"]}, {"as_of": "2017-05-31"}]
    assert choose(woken_by=events) == days("2017-05-31", "2017-06-01", "2017-06-02")


def test_the_events_that_woke_a_run_beat_the_newest_ones():
    assert choose(woken_by=[{"as_of": "2017-06-01"}], newest=[{"as_of": "2017-07-01"}]) == days("2017-06-01")


def test_a_timed_run_closes_its_logical_date_in_the_business_time_zone():
    assert choose(logical=EVENING) == days("2017-06-01")
    assert choose(logical=EVENING, zone=SHANGHAI) == days("2017-06-02")


def test_a_timed_run_with_inputs_knows_no_day_that_they_do_not():
    assert choose(logical=EVENING, newest=[{"as_of": "2017-03-01"}, {"as_of": "2017-03-02"}]) == days("2017-03-02")


def test_a_backfill_means_its_own_dates():
    assert choose(logical=EVENING, backfill=True, newest=[{"as_of": "2017-12-31"}]) == days("2017-06-01")


def test_a_run_that_nobody_told_anything_closes_the_day_before():
    assert choose() == days("2017-05-31")
    assert choose(woken_by=[{}], newest=[{"rows": 3}]) == days("2017-05-31")


@pytest.mark.parametrize("wrong", ["yesterday", "2017-02-30", "01/06/2017"])
def test_a_day_that_is_none_is_refused(wrong):
    with pytest.raises(ValueError):
        choose(typed=wrong)
