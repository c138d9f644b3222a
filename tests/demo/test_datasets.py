"""Which data a lake holds: remembered for every later process, and never another retailer's beside them."""

import pytest

from jobs.demo import datasets
from jobs.kit import settings as module
from jobs.kit.settings import Settings


@pytest.fixture
def conf(tmp_path, monkeypatch):
    """The settings of a lake of its own, as a new process would read them."""
    monkeypatch.setenv("SHOPLAKE_HOME", str(tmp_path))
    for name in ("LAKE", "DROP", "TIMEZONE", "CURRENCY", "DATA"):
        monkeypatch.delenv(f"SHOPLAKE_{name}", raising=False)
    module.settings.cache_clear()
    yield module.settings
    module.settings.cache_clear()


def test_a_lake_remembers_time_zone_and_currency_of_its_data(conf, monkeypatch):
    assert (conf().timezone, conf().currency) == ("America/New_York", "USD")
    datasets.choose("retailer", conf())
    assert (conf().data, conf().timezone, conf().currency) == ("retailer", "Asia/Shanghai", "CNY")
    monkeypatch.setenv("SHOPLAKE_CURRENCY", "EUR")
    module.settings.cache_clear()
    assert conf().currency == "EUR"  # the environment wins


def test_another_retailers_data_are_refused_with_what_to_do(conf, tmp_path):
    datasets.choose("complete-journey", conf())
    (tmp_path / "lake" / "bronze").mkdir(parents=True)
    datasets.choose("full", conf())  # more of the same retailer
    with pytest.raises(datasets.OtherDataError, match=r"holds Complete Journey \(full\).*make clean.*SHOPLAKE_HOME"):
        datasets.choose("retailer", conf())
    assert datasets.choose("", conf()).title == "Complete Journey (full)", "whoever does not say goes on with it"
    assert conf().data == "full"


def test_a_lake_without_tables_takes_any_data(conf):
    datasets.choose("complete-journey", conf())
    assert datasets.choose("", conf()).retailer == datasets.choose("retailer", conf()).retailer == "simulated"
    assert conf().currency == "CNY"


def test_the_bad_day_turns_signs_and_nothing_else_and_comes_right_again(tmp_path):
    scale = datasets.Scale(0.002)
    conf = Settings(home=tmp_path)
    data = datasets._simulated(scale)
    data.write(conf, lambda *_: None)
    path = tmp_path / "drop" / "pos" / "pos_lines" / "pos_lines_2025-12-30.csv"
    good = path.read_bytes()
    assert data.break_day(conf) == path
    bad = path.read_bytes()
    assert bad != good
    assert bad.replace(b",sale,-", b",sale,") == good
    assert data.write(conf, lambda *_: None).changed == 1
    assert path.read_bytes() == good
