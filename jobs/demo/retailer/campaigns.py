"""Campaigns: whom they address, over which channels, and what they do to each person.

Every person is, for good, one of four kinds (Radcliffe and Surry, 2011): *persuadable* (comes because of it), *sure*
(comes anyway), *lost* (does not care), *sleeping dog* (comes less when bothered). What a campaign does to a person it
was sent to is the expected number of additional visits in its window,

    strength of campaign x responsiveness of person x sum over channels sent to (chance to be seen x effect x liking)

with responsiveness 1, 0.1, 0 and -0.5 by kind. A tenth of those it was meant for, drawn by lot, is held out and not
addressed. The truth keeps the effect for both groups, and each channel's part of it.
"""

import numpy as np
import pyarrow as pa

from jobs.demo.retailer.world import World, choose

CHANNELS = ("sms", "email", "app_push", "in_app", "wechat", "douyin", "shop_guide", "coupon")
# per channel: cost of a send (CNY), chance to be seen, chance of a click when seen, effect on visits
COST = (0.045, 0.002, 0.0005, 0.0, 0.01, 0.03, 1.2, 0.02)
SEEN = (0.92, 0.22, 0.45, 0.60, 0.55, 0.30, 0.85, 0.50)
CLICK = (0.03, 0.06, 0.08, 0.12, 0.10, 0.09, 0.35, 0.25)
EFFECT = (0.06, 0.03, 0.05, 0.06, 0.10, 0.04, 0.16, 0.14)
# per kind of person: persuadable, sure, lost, sleeping dog
KIND_SHARES = (0.27, 0.28, 0.35, 0.10)
RESPONSE = (1.0, 0.1, 0.0, -0.5)
# per segment: liking of each channel
LIKING = (
    (1.0, 0.8, 0.8, 0.8, 1.3, 0.6, 1.0, 1.2),
    (1.1, 0.4, 0.6, 0.6, 1.2, 0.4, 1.4, 1.1),
    (0.3, 0.4, 1.3, 1.5, 1.2, 1.8, 0.3, 1.0),
    (0.5, 1.3, 1.0, 1.0, 1.1, 0.8, 0.8, 0.7),
    (0.9, 0.7, 1.2, 1.2, 1.2, 1.2, 0.7, 1.8),
    (0.6, 0.7, 1.3, 1.3, 1.4, 1.3, 0.8, 1.3),
    (1.5, 0.1, 0.2, 0.2, 0.8, 0.3, 1.8, 0.9),
    (0.5, 1.2, 0.8, 0.8, 1.0, 0.6, 1.5, 0.4),
)
THEMES = (  # name in Chinese, in English, type as marketing files it, strength, coupon (share off), days
    ("会员日", "Members' day", "TypeA", 0.8, 0.05, 3),
    ("满减券", "Money-off coupon", "TypeB", 1.2, 0.10, 10),
    ("沉睡唤醒", "Win-back", "TypeB", 1.4, 0.15, 14),
    ("新品尝鲜", "New products", "TypeC", 0.7, 0.0, 10),
    ("生鲜周", "Fresh week", "TypeC", 0.9, 0.05, 7),
    ("大促预热", "Festival warm-up", "TypeA", 1.0, 0.08, 7),
)
COUNT, HELD_OUT = 48, 0.10
NEEDS_APP = (2, 3)  # channels that reach only people with the app
NEEDS_WECHAT = (4,)


def make(world: World) -> None:
    """Tables temper, campaign, target, effect, touch."""
    _temper(world)
    _campaigns(world)
    _addressed(world)


def _temper(world: World) -> None:
    rng, n = world.scale.rng("temper"), world.scale.persons
    world.add("temper", {
        "person_id": np.arange(n, dtype=np.int32),
        "kind": choose(rng, np.array([KIND_SHARES]), np.zeros(n, int)).astype(np.int8),
    })  # fmt: skip


def _campaigns(world: World) -> None:
    rng, days = world.scale.rng("campaigns"), world.scale.days
    theme = np.arange(COUNT) % len(THEMES)
    start = np.sort(np.linspace(14, days - 25, COUNT).astype(int) + rng.integers(-4, 5, COUNT))
    length = np.array([t[5] for t in THEMES])[theme]
    channels = [np.sort(rng.choice(len(CHANNELS), rng.integers(1, 4), replace=False)) for _ in range(COUNT)]
    segments = [np.sort(rng.choice(8, rng.integers(2, 9), replace=False)) for _ in range(COUNT)]
    world.add("campaign", {
        "campaign_id": np.arange(COUNT, dtype=np.int32),
        "name_zh": np.array([THEMES[t][0] for t in theme]), "name_en": np.array([THEMES[t][1] for t in theme]),
        "campaign_type": np.array([THEMES[t][2] for t in theme]),
        "start_day": start.astype(np.int32), "days": length.astype(np.int32),
        "strength": np.array([THEMES[t][3] for t in theme]) * rng.uniform(0.6, 1.4, COUNT),
        "coupon_share": np.array([THEMES[t][4] for t in theme]),
        "share": rng.uniform(0.15, 0.45, COUNT),
        "channels": pa.array([c.tolist() for c in channels], pa.list_(pa.int8())),
        "segments": pa.array([s.tolist() for s in segments], pa.list_(pa.int8())),
    })  # fmt: skip


def _addressed(world: World) -> None:
    """Campaign by campaign: who was meant, who is held out, what was sent, seen and clicked, and what it does."""
    person = world.get(
        "SELECT person_id, segment, joined_day, kind FROM person JOIN temper USING (person_id) ORDER BY 1"
    )
    has = {
        system: np.isin(
            person["person_id"], world.get("SELECT person_id FROM account WHERE system = ?", system)["person_id"]
        )
        for system in ("crm", "app")
    }
    uses_wechat = np.isin(
        person["person_id"], world.get("SELECT person_id FROM person WHERE union_id IS NOT NULL")["person_id"]
    )
    liking = np.array(LIKING)
    campaign = world.get("FROM campaign ORDER BY campaign_id")
    for number in range(COUNT):
        rng = world.scale.rng("campaign", number)
        meant = np.isin(person["segment"], campaign["segments"][number]) & has["crm"]
        meant &= person["joined_day"] < campaign["start_day"][number]
        meant &= rng.random(len(meant)) < campaign["share"][number]
        who = np.flatnonzero(meant)
        held = rng.random(len(who)) < HELD_OUT
        used = list(campaign["channels"][number])
        reached = np.zeros((len(who), len(CHANNELS)), bool)
        for channel in used:
            able = has["app"][who] if channel in NEEDS_APP else uses_wechat[who] if channel in NEEDS_WECHAT else True
            reached[:, channel] = able
        seen = reached & (rng.random(reached.shape) < SEEN)
        clicked = seen & (rng.random(reached.shape) < np.clip(np.array(CLICK) * liking[person["segment"][who]], 0, 0.9))
        # The effect that being addressed has, whether or not one was: by what would be seen.
        part = reached * np.array(SEEN) * np.array(EFFECT) * liking[person["segment"][who]]
        part *= campaign["strength"][number] * np.array(RESPONSE)[person["kind"][who]][:, None]
        effect = part.sum(axis=1)
        world.add("target", {
            "campaign_id": np.full(len(who), number, np.int32), "person_id": person["person_id"][who],
            "is_held_out": held, "effect": effect,
            **{f"effect_{name}": part[:, c] for c, name in enumerate(CHANNELS)},
        })  # fmt: skip
        at, channel = np.nonzero(reached & ~held[:, None])
        seen_after = np.where(seen[at, channel], rng.exponential(7200, len(at)).astype(int) + 5, -1)
        clicked_after = np.where(clicked[at, channel], rng.exponential(120, len(at)).astype(int) + 2, -1)
        # A campaign's messages go out on its first two days.
        send_day = campaign["start_day"][number] + rng.integers(0, 2, len(at))
        second = rng.integers(9 * 3600, 20 * 3600, len(at))
        world.add("touch", {
            "campaign_id": np.full(len(at), number, np.int32), "person_id": person["person_id"][who[at]],
            "channel": channel.astype(np.int8), "day": send_day.astype(np.int32), "second": second.astype(np.int32),
            "seen_after_s": seen_after.astype(np.int32),
            "clicked_after_s": clicked_after.astype(np.int32),
            "cost": np.array(COST)[channel],
        })  # fmt: skip
    world.run(
        "CREATE VIEW effect AS SELECT campaign_id, person_id, effect FROM target WHERE NOT is_held_out AND effect <> 0"
    )
