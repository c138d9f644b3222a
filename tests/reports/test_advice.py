"""Each rule: when it speaks, what it says, and when it keeps silent."""

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import pytest

from jobs.reports import advice, texts
from jobs.reports.figures import Figures, Month, Pair, Period, Row, Totals
from jobs.reports.words import languages, rules, words

LAST = date(2025, 3, 31)
RULES = rules(None)


def totals(net: float, back: float = 0, shelf: float | None = None) -> Totals:
    return Totals(Decimal(str(net)), Decimal(str(back)), Decimal(str(net if shelf is None else shelf)), 1)


def row(name: str, now: Totals, before: Totals | None = None) -> Row:
    return Row(name, now, before or Totals())


def shop(*rows: Row, **known) -> Figures:
    """A shop that sold 1,000 in the month and in that before, of which 1 % came back; a sale each day."""
    month = Period("", totals(1000, 10), totals(1000, 10), days=28, last=LAST)
    days = tuple((LAST - timedelta(days=27 - i), Decimal(10), Decimal(10)) for i in range(28))
    known = {"month": month, "days": days, "usual": totals(6000, 60), "rows": {"category": rows}, **known}
    return Figures(kind="shop", id="all", as_of=LAST, last_sale=LAST, **known)


def march(name: str, **known) -> Month:
    return Month(name, date(2025, 3, 1), **{k: Decimal(str(v)) if k in MONEY else v for k, v in known.items()})


MONEY = ("net", "costed", "margin", "stock", "spoiled")


def channel(name: str, **known) -> dict:
    told = {"sent_count": 0, "exposed_count": 0, "clicked_count": 0, "exposure_rate": 0.0, "click_rate": 0.0}
    told |= {"cost_amount": Decimal(5), "budget_amount": Decimal(4), "budget_use": None, "cost_per_click": None}
    return told | {"touch_channel": name} | known


def campaign(*channels: dict, **about) -> Figures:
    peers = {"redemption_rate": 0.1, "exposure_rate": 0.6, "click_rate": 0.2}
    return Figures(kind="campaign", id="C1", as_of=LAST, channels=channels, about=about, peers=peers)


MONTH = shop().month
CASES = [  # what is so; what follows, and a value of it
    ("three times the usual", shop(row("Tea", totals(97, 6))), "returns", {"name": "Tea", "amount": Decimal(6)}),
    ("less than that", shop(row("Tea", totals(98, 2))), None, {}),
    ("much of very little", shop(row("Tea", totals(1, 1))), None, {}),
    ("nobody ever gives back", shop(row("Tea", totals(97, 0)), usual=totals(6000)), None, {}),
    ("down by half", shop(row("Tea", totals(50), totals(100))), "falling", {"change": 0.5, "before": Decimal(100)}),
    ("down by half of very little", shop(row("Tea", totals(10), totals(20))), None, {}),
    ("down with all others", shop(row("Tea", totals(50), totals(100)),
        month=replace(MONTH, now=totals(550, 5))), None, {}),
    ("up by half", shop(row("Tea", totals(150), totals(100))), "rising", {"change": 0.5, "now": Decimal(150)}),
    ("up, but of days that nobody knows", shop(row("Tea", totals(150), totals(100)),
        month=replace(MONTH, is_comparable=False)), None, {}),
    ("new", shop(row("Tea", totals(150))), None, {}),
    ("lies for long", shop(last_month_rows=(march("Tea", stock=500, supply_days=120.0, turnover=0.3),)), "slow_stock",
        {"days": 120.0, "amount": Decimal(500)}),
    ("lies for a year", shop(last_month_rows=(march("Tea", stock=500, supply_days=900.0, turnover=0.1),)),
        "slow_stock_year", {"amount": Decimal(500)}),
    ("is gone soon enough", shop(last_month_rows=(march("Tea", stock=500, supply_days=60.0, turnover=0.5),)), None, {}),
    ("little lies for long", shop(last_month_rows=(march("Tea", stock=1, supply_days=120.0, turnover=0.3),
        march("Rice", stock=500, supply_days=30.0, turnover=1.0))), None, {}),
    ("nothing sold", shop(last_month_rows=(march("Tea", stock=500, turnover=0.0),)), "dead_stock",
        {"amount": Decimal(500)}),
    ("empty soon", shop(last_month_rows=(march("Tea", net=90, stock=5, supply_days=3.0, turnover=9.0),)), "short_stock",
        {"days": 3.0}),
    ("fresh and empty soon", shop(last_month_rows=(march("Milk", net=90, stock=5, supply_days=3.0, turnover=9.0,
        spoiled=0, loss_share=0.0),)), None, {}),
    ("thrown away", shop(last_month_rows=(march("Milk", spoiled=50, loss_share=0.2),)), "spoilage", {"share": 0.2}),
    ("hardly thrown away", shop(last_month_rows=(march("Milk", spoiled=50, loss_share=0.02),)), None, {}),
    ("below cost", shop(last_month_rows=(march("Tea", net=90, costed=90, margin=-9),)), "below_cost",
        {"amount": Decimal(-9)}),
    ("cost not known", shop(last_month_rows=(march("Tea", net=90, costed=0),)), None, {}),
    ("given away", shop(month=replace(MONTH, now=totals(1000, 10, 1250))), "discounts", {"now": 0.2, "before": 0.0}),
    ("two days without a sale", shop(days=tuple((d, n * (d.day not in (9, 10)), b) for d, n, b in shop().days)),
        "silence", {"days": 2, "last": date(2025, 3, 10)}),
    ("closed every other day", shop(days=tuple((d, n * (d.day % 2), b) for d, n, b in shop().days)), None, {}),
    ("ledger", shop(unreconciled=((date(2025, 1, 1), Decimal(-3)), (date(2025, 2, 1), Decimal(5)))), "ledger",
        {"months": 2, "month": date(2025, 2, 1), "amount": Decimal(8)}),
    ("bought together", shop(pairs=(Pair("Tea", "Milk", 1.8, 30), Pair("Tea", "Rice", 1.5, 90))), "pairs",
        {"left": "Tea", "right": "Milk", "times": 1.8}),
    ("too seldom bought together", shop(pairs=(Pair("Tea", "Milk", 9.9, 3),)), None, {}),
    ("good customers stay away", shop(value_classes={"at-risk": (34, Decimal(900))}), "at_risk", {"count": 34}),
    ("over budget", campaign(channel("sms", budget_use=1.25)), "over_budget", {"channel": "sms", "use": 1.25}),
    ("no plan", campaign(channel("sms", budget_amount=None)), None, {}),
    ("hardly seen", campaign(channel("sms", sent_count=90, exposure_rate=0.2)), "unseen", {"usual": 0.6, "count": 90}),
    ("hardly seen, of few", campaign(channel("sms", sent_count=9, exposure_rate=0.2)), None, {}),
    ("hardly clicked", campaign(channel("sms", exposed_count=90, click_rate=0.05)), "unclicked", {"share": 0.05}),
    ("cheaper clicks", campaign(channel("sms", clicked_count=9, cost_per_click=Decimal(2)),
        channel("email", clicked_count=9, cost_per_click=Decimal(1))), "best_channel",
        {"channel": "email", "other": "sms"}),
    ("few redeemed", campaign(redemption_rate=0.02, targeted_member_count=100, is_finished=True), "few_redeemed",
        {"share": 0.02, "count": 100}),
    ("not over yet", campaign(redemption_rate=0.02, targeted_member_count=100, is_finished=False), None, {}),
]  # fmt: skip


@pytest.mark.parametrize(("figures", "key", "values"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_a_rule_speaks_where_the_data_do(figures, key, values):
    found = advice.findings(figures, RULES)
    assert [f.key for f in found] == ([key] if key else [])
    for finding in found:
        assert {k: finding.values[k] for k in values} == values
        for language in languages(None):  # each value that a sentence asks for is there
            assert texts.advice(words(language, None, "CNY"), [finding], finding.kind)


def test_every_rule_is_tested_on_both_sides():
    spoken = {key for _, _, key, _ in CASES if key}
    assert (
        spoken - {"slow_stock_year"} == {rule.__name__ for kind in advice.RULES.values() for rule in kind} == set(RULES)
    )


def test_a_rule_is_said_once_with_whatever_else_it_found_and_most_at_stake_first():
    stock = tuple(march(n, stock=s, supply_days=200.0, turnover=0.1) for n, s in (("A", 100), ("B", 300), ("C", 200)))
    figures = shop(row("Tea", totals(50), totals(100)), last_month_rows=stock)
    said = texts.advice(words("en", None, "CNY"), advice.findings(figures, RULES), "problem")
    assert len(said) == 2
    assert said[0].startswith("The stock of B lasts 200 days") and said[0].endswith("The same goes for C and A.")
    assert "CN¥300.00" in said[0]
    assert said[1].startswith("Tea sold 50.0% less than in the 28 days before: CN¥50.00 instead of CN¥100.00.")
