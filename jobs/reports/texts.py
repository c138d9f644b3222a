"""What a report says in whole sentences: title, summary and advice, all from figures and the words files."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from jobs.reports.advice import Finding
from jobs.reports.figures import ALL, Figures, Period, Totals
from jobs.reports.read import WEEKS
from jobs.reports.words import Words


def title(words: Words, figures: Figures, names: Mapping[str, str]) -> str:
    """What the report is about: its name and, where that is another, its id."""
    if figures.kind == "campaign":
        language = words.language.partition("_")[0]
        known = [figures.about.get(f"campaign_name_{which}") for which in (language, "en", "zh")]
        name = next(filter(None, known), None)
    elif figures.kind == "shop" and figures.id == ALL:
        return words.say("title.all")
    else:
        name = names.get(figures.id)
    shown = words.name(name or figures.id)
    return f"{shown} · {figures.id}" if name and name != figures.id else shown


def summary(words: Words, figures: Figures) -> str:
    """How the month's sales stand, or what a campaign brought, in a sentence or two."""
    if figures.kind == "campaign":
        return _campaign(words, figures)
    return _said(words, figures, figures.month, "summary")


def shop_summary(words: Words, figures: Figures) -> str:
    """How the week's sales stand, in a shopkeeper's words."""
    return _said(words, figures, figures.week, "shop_summary")


def _campaign(words: Words, figures: Figures) -> str:
    about = figures.about
    values: dict[str, Any] = {"targeted": about.get("targeted_member_count") or 0}
    if "net_amount_in_window" not in about:
        return words.say("campaign_summary.unknown", **values)
    days, start = about["window_days"], about["start_date"]
    values |= {"days": days, "last": start + timedelta(days=days - 1), "buyers": about["buyer_count"]}
    values |= {"now": about["net_amount_in_window"], "before": about["net_amount_before"]}
    return words.say(f"campaign_summary.{'bought' if about['is_comparable'] else 'alone'}", **values)


def _said(words: Words, figures: Figures, period: Period, which: str) -> str:
    if figures.last_sale is None:
        return words.say("summary.never", weeks=WEEKS, last=figures.as_of)
    values = {"days": period.days, "last": period.last, "now": period.now.net, "before": period.before.net}
    text = words.say(f"{which}.{_outcome(period)}", **values, change=abs(period.change or 0))
    if period.now == Totals():
        text += words.joint + words.say("summary.last_sale", last_sale=figures.last_sale)
    return text


def _outcome(period: Period) -> str:
    if period.now == Totals():
        return "none"
    if not period.is_comparable:
        return "alone"
    if period.before == Totals():
        return "nothing_before"
    if period.change is None:  # more came back than was sold
        return "plain"
    return "same" if round(period.change, 3) == 0 else "up" if period.change > 0 else "down"


def advice(words: Words, findings: list[Finding], kind: str) -> list[str]:
    """The sentences of the findings of a kind, in their order: one for each rule, of what is most at stake.

    What else the rule found is named after it: five sentences that differ in a name are read as one, or not at all.
    """
    by_rule: dict[str, list[Finding]] = {}
    for finding in findings:
        if finding.kind == kind:
            by_rule.setdefault(finding.key, []).append(finding)
    return [_sentence(words, first, rest) for first, *rest in by_rule.values()]


def _sentence(words: Words, first: Finding, rest: list[Finding]) -> str:
    text = words.say(f"advice.{first.key}", **first.values)
    others = [words.name(value) for f in rest if (value := f.values.get("name") or f.values.get("channel"))]
    return text + words.joint + words.say("advice.also", names=words.list(others)) if others else text
