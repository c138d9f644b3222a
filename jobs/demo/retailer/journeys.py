"""What people do in the app and the mini-program: sessions, and the events of each.

A session ends in an order (each app order has one), or begins with a click on a message that leads into the app, or
just happens. In about one in six of those that sell nothing something is put into the cart and left there. Its events
follow one another in the order in which one shops: launch, pages, searches, articles looked at, cart, checkout,
payment, now and then a share.
"""

import numpy as np

from jobs.demo.retailer.behaviour import CHUNK_WEEKS, SEGMENTS
from jobs.demo.retailer.world import World, choose

KINDS = (
    "launch",
    "page_view",
    "search",
    "product_view",
    "add_to_cart",
    "remove_from_cart",
    "checkout",
    "pay",
    "share",
)
LAUNCH, PAGE, SEARCH, VIEW, CART, REMOVE, CHECKOUT, PAY, SHARE = range(len(KINDS))
EVENTS_PER_PERSON = 100  # over the two years, expected; calibrated
EVENTS_PER_SESSION = 7.6
LEFT_CART, SHARED, REMOVED = 0.17, 0.03, 0.06  # of sessions without an order · of sessions · of sessions with a cart
INTO_APP = (2, 3, 4)  # channels of touches whose click opens app or mini-program: app_push, in_app, wechat


def make(world: World) -> None:
    """Tables session, event."""
    _sessions(world)
    for first in range(0, world.scale.weeks, CHUNK_WEEKS):
        _events(world, first * 7, min((first + CHUNK_WEEKS) * 7, world.scale.days))


def _sessions(world: World) -> None:
    scale, rng = world.scale, world.scale.rng("sessions")
    bought = world.get("""
        SELECT account_id, day, second, order_id FROM "order" WHERE channel = 1 ORDER BY order_id""")
    clicked = world.get(f"""
        SELECT account_id, touch.day + (second + seen_after_s + clicked_after_s) // 86400 AS day,
               (second + seen_after_s + clicked_after_s) % 86400 AS second, campaign_id, channel
        FROM touch JOIN (SELECT person_id, min_by(account_id, registered_day) AS account_id,
                                min(registered_day) AS registered_day FROM account WHERE system = 'app' GROUP BY 1)
        USING (person_id)
        WHERE clicked_after_s >= 0 AND channel IN {INTO_APP} AND registered_day <= touch.day
        ORDER BY touch.day, second, account_id, campaign_id, channel""")
    inside = clicked["day"] < scale.days
    clicked = {k: v[inside] for k, v in clicked.items()}
    users = world.get("""
        SELECT account_id, segment, greatest(registered_day, 0) AS begins, least(left_day, ?) AS ends, pace
        FROM account JOIN person USING (person_id) JOIN habit USING (person_id)
        WHERE system = 'app' ORDER BY account_id""", scale.days)  # fmt: skip
    alive = np.maximum(users["ends"] - users["begins"], 0)
    expected = (0.4 + users["pace"]) * np.array([s.channels[1] for s in SEGMENTS])[users["segment"]] * alive
    wanted = scale.persons * EVENTS_PER_PERSON / EVENTS_PER_SESSION - len(bought["day"]) - len(clicked["day"])
    count = rng.poisson(expected * max(wanted, 0) / expected.sum())
    of = np.repeat(np.arange(len(count)), count)
    n = len(of)
    hours = np.array([np.bincount(s.hours, minlength=24) + 0.3 for s in SEGMENTS])
    hours[:, 1:6] = 0.02
    hour = choose(rng, hours, users["segment"][of])
    parts = {
        "account_id": (bought["account_id"], clicked["account_id"], users["account_id"][of]),
        "day": (
            bought["day"],
            clicked["day"],
            users["begins"][of] + (rng.random(n) * alive[of]).astype(np.int64),
        ),
        # A purchase takes some minutes before it is paid.
        "second": (
            np.maximum(bought["second"] - rng.integers(120, 1500, len(bought["day"])), 0),
            clicked["second"],
            hour * 3600 + rng.integers(0, 3600, n),
        ),
        "order_id": (bought["order_id"], np.full(len(clicked["day"]), -1), np.full(n, -1)),
        "campaign_id": (np.full(len(bought["day"]), -1), clicked["campaign_id"], np.full(n, -1)),
        "channel": (np.full(len(bought["day"]), -1), clicked["channel"], np.full(n, -1)),
    }
    columns = {name: np.concatenate(values) for name, values in parts.items()}
    order = np.lexsort((columns["account_id"], columns["second"], columns["day"]))
    world.add("session", {
        "session_id": np.arange(len(order), dtype=np.int32),
        **{name: values[order].astype(np.int32) for name, values in columns.items()},
    })  # fmt: skip


def _events(world: World, first: int, last: int) -> None:
    rng, each = world.scale.rng("events", first), world.scale.products_per_type
    session = world.get("FROM session WHERE day >= ? AND day < ? ORDER BY session_id", first, last)
    n = len(session["session_id"])
    bought = world.get("""
        SELECT session_id, product_id FROM session JOIN line USING (order_id)
        WHERE session.day >= ? AND session.day < ? ORDER BY session_id, line_number""", first, last)  # fmt: skip
    bought_in = bought["session_id"] - (session["session_id"][0] if n else 0)
    buys = session["order_id"] >= 0
    leaves = ~buys & (rng.random(n) < LEFT_CART)
    looked = np.repeat(np.arange(n), rng.poisson(2.9, n))
    popularity = world.get("SELECT popularity FROM product ORDER BY product_id")["popularity"]
    ladder = np.cumsum(popularity * np.repeat(world.get("SELECT weight FROM type ORDER BY type_id")["weight"], each))
    looked_at = np.searchsorted(ladder, rng.random(len(looked)) * ladder[-1], side="right")
    carted = np.flatnonzero(rng.random(len(looked)) < 0.35)
    carted = carted[leaves[looked[carted]]]
    removed = carted[rng.random(len(carted)) < REMOVED]
    searched = np.repeat(np.arange(n), rng.poisson(0.7, n))
    some = np.flatnonzero(rng.random(n) < SHARED)
    none = np.full(n, -1)
    paged = np.repeat(np.arange(n), rng.poisson(2.1, n))
    parts = (
        (LAUNCH, np.arange(n), none),
        (PAGE, paged, np.full(len(paged), -1)),
        (SEARCH, searched, rng.integers(0, len(popularity), len(searched))),  # whose type is what is typed
        (VIEW, looked, looked_at),
        (VIEW, bought_in, bought["product_id"]),
        (CART, bought_in, bought["product_id"]),
        (CART, looked[carted], looked_at[carted]),
        (REMOVE, looked[removed], looked_at[removed]),
        (CHECKOUT, np.flatnonzero(buys), none[buys]),
        (PAY, np.flatnonzero(buys), none[buys]),
        (SHARE, some, rng.integers(0, len(popularity), len(some))),
    )
    kind = np.concatenate([np.full(len(p[1]), p[0], np.int8) for p in parts])
    of = np.concatenate([p[1] for p in parts])
    product = np.concatenate([p[2] for p in parts])
    # Pages, searches and articles alternate; the rest comes in its order.
    phase = np.array([0, 1, 1, 1, 2, 3, 4, 5, 1])[kind] + rng.random(len(kind)) * 0.9
    order = np.lexsort((phase, of))
    kind, of, product = kind[order], of[order], product[order]
    gap = rng.exponential(22.0, len(kind)) + 1
    gap[kind == LAUNCH] = 0
    since = np.cumsum(gap)
    since -= since[np.searchsorted(of, np.arange(n))][of]
    world.add("event", {
        "session_id": session["session_id"][of],
        "kind": kind,
        "product_id": product.astype(np.int32),
        "day": session["day"][of],
        "at_ms": ((session["second"][of] + since) * 1000).astype(np.int64),  # since the day's midnight
    })  # fmt: skip
