"""Who buys what, when and where: habits, visits with their cause, baskets with theirs.

**Visits.** While a person is a customer (from joining to a drop-out that nobody is told), visits are a Poisson process
(so purchases are Pareto/NBD: Schmittlein, Morrison and Colombo, 1987). A person's own rate is gamma distributed; it is
moved by the month, the weekday, festivals and rain, for each channel in its own way. Campaigns add visits (or take
some away): see campaigns.py.

**Baskets.** The needs of a visit are Poisson per product type: liking of the segment x season x weather x what this
week's prices do to the articles that the store carries. A visit without a need leaves no ticket. Rules then add types
because of types. Which article serves a need goes by popularity x price factor (catalogue.py). So the expected demand
of an article is exactly proportional to its factor, given who visits, but for what rules add.
"""

from dataclasses import dataclass

import numpy as np

from jobs.demo.retailer.stock import Shelves
from jobs.demo.retailer.world import World, choose

CHANNELS = ("pos", "app", "tmall", "jd")
ORDERS_PER_PERSON = 9.8  # over the two years, expected; calibrated
CHUNK_WEEKS = 13  # of baskets in memory at once
FORGOTTEN_CARD = 0.08  # of visits to a store by members leave no member number
WET_MM = 1.0
WARMER_C = 4.0  # a day counts as warm (or cold) from 3 °C off what is usual, and then as if it were this much


@dataclass(frozen=True)
class Segment:
    """How a kind of shopper behaves. The order of SEGMENTS is the number that `person.segment` holds."""

    name: str
    rate: float  # visits, relative
    needs: float  # per visit
    sensitivity: float  # to price: the exponent on the demand factor
    lifetime_days: float  # mean time to drop-out
    channels: tuple[float, float, float, float]  # liking of pos, app, tmall, jd where there is an account
    hours: tuple[int, ...]  # hours of the day that are liked, 24 is none
    weekend: float  # of a Saturday, against a Tuesday


SEGMENTS = (
    Segment("family stock-up", 1.0, 6.0, 1.0, 1400, (8, 2, 1, 1), (10, 11, 15, 16, 17, 18, 19), 2.2),
    Segment("fresh daily", 2.2, 3.2, 0.8, 1800, (9, 2, 0.3, 0.2), (8, 9, 10, 17, 18), 1.1),
    Segment("young online", 0.9, 2.8, 1.1, 600, (2, 6, 3, 2), (12, 18, 20, 21, 22), 1.3),
    Segment("health", 0.8, 3.4, 0.6, 1100, (5, 4, 1.5, 1), (7, 12, 18, 19, 20), 1.4),
    Segment("bargain hunter", 0.9, 4.0, 1.6, 800, (6, 3, 2, 1.5), (9, 10, 14, 19, 20), 1.2),
    Segment("baby household", 1.2, 4.2, 0.9, 700, (4, 5, 2.5, 2.5), (10, 14, 15, 21, 22), 1.3),
    Segment("senior morning", 1.8, 2.9, 1.2, 2000, (10, 0.5, 0.2, 0.1), (7, 8, 9, 10), 0.8),
    Segment("premium", 0.7, 4.4, 0.4, 1500, (5, 5, 2, 2.5), (11, 16, 18, 19, 20), 1.5),
)
MONTHS = (1.12, 0.92, 0.96, 0.96, 0.98, 1.0, 0.98, 0.97, 1.03, 1.02, 1.03, 1.08)
FESTIVAL = {  # per channel, what a day of a festival does
    "Spring Festival shopping": (1.7, 1.5, 1.2, 1.3),
    "618": (1.05, 1.3, 2.6, 3.2),
    "Mid-Autumn shopping": (1.3, 1.2, 1.1, 1.1),
    "Double 11": (1.0, 1.3, 4.0, 3.2),
}
HOLIDAY = (1.25, 1.05, 0.8, 0.8)
RAIN = (0.82, 1.25, 1.02, 1.02)
GROWTH_PER_YEAR = (0.0, 0.30, 0.10, 0.12)  # of a channel's pull


def make(world: World) -> None:
    """Tables habit, rate, order, line, demand, visit_day, and what stock.py makes."""
    _habits(world)
    _visits(world)
    _baskets(world)


def _of_segments(name: str) -> np.ndarray:
    return np.array([getattr(s, name) for s in SEGMENTS])


def _habits(world: World) -> None:
    rng, days = world.scale.rng("habits"), world.scale.days
    person = world.get("SELECT person_id, segment, joined_day FROM person ORDER BY person_id")
    n, segment = len(person["person_id"]), person["segment"]
    # Who joined long ago and has left since is not followed: everybody is alive half a year before the first day.
    begins = np.maximum(person["joined_day"], -180)
    lifetime = rng.exponential(_of_segments("lifetime_days")[segment])
    world.add("habit", {
        "person_id": person["person_id"],
        "pace": _of_segments("rate")[segment] * rng.gamma(1.4, 1 / 1.4, n),
        "left_day": np.minimum(begins + np.ceil(lifetime), 10 * days).astype(np.int32),
        "mean_lifetime_days": _of_segments("lifetime_days")[segment],
        "sensitivity": _of_segments("sensitivity")[segment],
    })  # fmt: skip


# --- visits -----------------------------------------------------------------------------------------------------------


def _pull(world: World) -> np.ndarray:
    """How strongly a day draws shoppers: (channel, segment, city, day), cumulated over the days from 0."""
    day = world.get("FROM day ORDER BY day")
    weather = world.get("SELECT rain_mm FROM weather ORDER BY city_id, day")["rain_mm"].reshape(-1, world.scale.days)
    month = np.array(MONTHS)[day["month"] - 1]
    weekend = _of_segments("weekend")[:, None]
    weekday = np.where(day["weekday"] == 5, weekend, np.where(day["weekday"] == 6, 0.9 * weekend, 1.0))
    weekday = weekday / weekday.mean(axis=1, keepdims=True)
    pulls = []
    for channel in range(len(CHANNELS)):
        festival = np.array([FESTIVAL[f][channel] if f in FESTIVAL else 1.0 for f in day["festival"]])
        holiday = np.where([isinstance(h, str) for h in day["holiday"]], HOLIDAY[channel], 1.0)
        growth = (1 + GROWTH_PER_YEAR[channel]) ** (day["day"] / 365)
        rain = np.where(weather >= WET_MM, RAIN[channel], 1.0)
        pulls.append(weekday[:, None, :] * (month * festival * holiday * growth) * rain[None, :, :])
    cumulated = np.cumsum(np.array(pulls), axis=-1)
    return np.concatenate([np.zeros((*cumulated.shape[:-1], 1)), cumulated], axis=-1)


def _visits(world: World) -> None:
    scale = world.scale
    rng = scale.rng("visits")
    person = world.get("FROM person JOIN habit USING (person_id) ORDER BY person_id")
    n = len(person["person_id"])
    account = _accounts(world, n)
    mix = np.array([s.channels for s in SEGMENTS])[person["segment"]] * (account >= 0)
    mix[:, 0] = np.array([s.channels[0] for s in SEGMENTS])[person["segment"]]  # a till asks for no account
    mix /= mix.sum(axis=1, keepdims=True)
    pull = _pull(world)
    begins, ends = (np.clip(person[c], 0, scale.days) for c in ("joined_day", "left_day"))
    group = person["segment"] * pull.shape[2] + person["city_id"]
    by_group = pull.reshape(len(CHANNELS), -1, scale.days + 1)
    span = by_group[:, group, ends] - by_group[:, group, np.minimum(begins, ends)]  # (channel, person)
    expected = person["pace"] * mix.T * span
    expected *= ORDERS_PER_PERSON * n / expected.sum()
    alive = np.maximum(ends - begins, 1)
    told = np.where(account[:, 0] >= 0, 1 - FORGOTTEN_CARD, 0)
    world.add("rate", {
        "person_id": person["person_id"],
        # those at which a card was shown or an account bought
        "named_visits_per_day": (expected[1:].sum(axis=0) + expected[0] * told) / alive,
        "visits_per_day": expected.sum(axis=0) / alive,
    })  # fmt: skip
    count = rng.poisson(expected)
    who = np.concatenate([np.repeat(person["person_id"], c) for c in count]).astype(np.int32)
    channel = np.repeat(np.arange(len(CHANNELS), dtype=np.int8), count.sum(axis=1))
    day = _days(rng, by_group, channel, group[who], begins[who], ends[who])
    cause = np.full(len(who), -1, np.int32)
    who, channel, day, cause = _moved_by_campaigns(world, who, channel, day, cause, mix)
    _add_orders(world, rng, person, account, (who, channel, day, cause))


def _accounts(world: World, persons: int) -> np.ndarray:
    """The account that a person uses in each channel's system, -1 if none: (person, channel)."""
    found = np.full((persons, len(CHANNELS)), -1, np.int32)
    for number, system in enumerate(("erp", "app", "tmall", "jd")):
        first = world.get(
            """SELECT person_id, min(account_id) AS account_id FROM account
            WHERE system = ? AND NOT is_duplicate GROUP BY 1""",
            system,
        )
        found[first["person_id"], number] = first["account_id"]
    return found


def _days(
    rng: np.random.Generator,
    pull: np.ndarray,
    channel: np.ndarray,
    group: np.ndarray,
    begins: np.ndarray,
    ends: np.ndarray,
) -> np.ndarray:
    """A day for each visit, by the pull of the days between joining and drop-out."""
    channels, groups, width = pull.shape
    rows = channel.astype(np.int64) * groups + group
    flat = pull.reshape(channels * groups, width)
    low, high = flat[rows, begins], flat[rows, ends]
    drawn = low + rng.random(len(rows)) * (high - low)
    # One search in all rows laid end to end, each lifted above the one before.
    lift = flat[:, -1].max() + 1
    ladder = (flat + lift * np.arange(len(flat))[:, None]).ravel()
    day = np.searchsorted(ladder, drawn + lift * rows, side="right") - rows * width - 1
    return np.clip(day, begins, ends - 1).astype(np.int32)


def _moved_by_campaigns(
    world: World, who: np.ndarray, channel: np.ndarray, day: np.ndarray, cause: np.ndarray, mix: np.ndarray
) -> tuple[np.ndarray, ...]:
    """Visits that a campaign adds are its own; where it annoys, it takes some away."""
    rng = world.scale.rng("moved")
    effect = world.get("""
        SELECT campaign_id, person_id, effect, start_day, days FROM effect
        JOIN campaign USING (campaign_id) JOIN habit USING (person_id)
        WHERE left_day > start_day ORDER BY campaign_id, person_id""")
    more = rng.poisson(np.maximum(effect["effect"], 0))
    of = np.repeat(np.arange(len(more)), more)
    after = np.minimum(rng.exponential(effect["days"][of] / 3), effect["days"][of] - 1)
    added_day = (effect["start_day"][of] + after).astype(np.int32)
    added_who = effect["person_id"][of]
    added_channel = choose(rng, mix, added_who).astype(np.int8)
    inside = added_day < world.scale.days

    annoyed = effect["effect"] < 0
    last = np.zeros((len(mix), 2), np.int64)  # the window in which a person comes less, and how much less
    chance = np.zeros(len(mix))
    last[effect["person_id"][annoyed], 0] = effect["start_day"][annoyed]
    last[effect["person_id"][annoyed], 1] = (effect["start_day"] + effect["days"])[annoyed]
    chance[effect["person_id"][annoyed]] = -effect["effect"][annoyed]
    in_window = (day >= last[who, 0]) & (day < last[who, 1])
    stays = ~(in_window & (rng.random(len(who)) < chance[who]))
    return (
        np.concatenate([who[stays], added_who[inside]]),
        np.concatenate([channel[stays], added_channel[inside]]),
        np.concatenate([day[stays], added_day[inside]]),
        np.concatenate([cause[stays], effect["campaign_id"][of][inside]]),
    )


def _add_orders(
    world: World,
    rng: np.random.Generator,
    person: dict[str, np.ndarray],
    account: np.ndarray,
    visits: tuple[np.ndarray, ...],
) -> None:
    who, channel, day, cause = visits
    n = len(who)
    liked = np.full((len(SEGMENTS), 24), 0.15)
    liked[:, :7], liked[:, 23] = 0.0, 0.0
    for number, segment in enumerate(SEGMENTS):
        liked[number, list(segment.hours)] = 1.0
    hour = choose(rng, liked, person["segment"][who])
    second = (hour * 3600 + rng.integers(0, 3600, n)).astype(np.int32)
    store = np.where(channel >= 2, world.scale.stores, _store(world, rng, person, who, channel))
    used = account[who, channel]
    used[(channel == 0) & (rng.random(n) < FORGOTTEN_CARD)] = -1
    order = np.lexsort((who, second, day))
    world.add("visit", {
        "order_id": np.arange(n, dtype=np.int32),
        "person_id": who[order], "channel": channel[order], "store_id": store[order].astype(np.int32),
        "account_id": used[order], "day": day[order], "second": second[order], "campaign_id": cause[order],
    })  # fmt: skip
    _use_second_accounts(world)
    # Nobody orders by an account that is not there yet.
    world.run("""
        UPDATE account SET registered_day = least(registered_day, first.day)
        FROM (SELECT account_id, min(day) AS day FROM visit GROUP BY 1) first
        WHERE account.account_id = first.account_id""")


def _store(
    world: World, rng: np.random.Generator, person: dict[str, np.ndarray], who: np.ndarray, channel: np.ndarray
) -> np.ndarray:
    """One's own store four times in five, else one of the city; an app order comes from one's own."""
    store = world.get("SELECT store_id, city_id, traffic FROM store WHERE NOT is_warehouse ORDER BY city_id, store_id")
    ladder = np.append(0, np.cumsum(store["traffic"]))
    first = np.searchsorted(store["city_id"], np.arange(store["city_id"].max() + 2))
    city = person["city_id"][who]
    low, high = ladder[first[city]], ladder[first[city + 1]]
    some = np.searchsorted(ladder, low + rng.random(len(who)) * (high - low), side="right") - 1
    away = (rng.random(len(who)) < 0.2) & (channel == 0)
    return np.where(away, store["store_id"][np.minimum(some, len(store["store_id"]) - 1)], person["home_store"][who])


def _use_second_accounts(world: World) -> None:
    """Who registered twice uses the newer registration half of the time from then on."""
    world.run("""
        UPDATE visit SET account_id = second.account_id
        FROM (SELECT person_id, list_position(['erp', 'app', 'tmall', 'jd'], system) - 1 AS channel, registered_day,
                     max(account_id) AS account_id
              FROM account WHERE is_duplicate GROUP BY ALL) second
        WHERE visit.person_id = second.person_id AND visit.channel = second.channel AND visit.account_id >= 0
          AND visit.day >= second.registered_day AND visit.order_id % 2 = 0""")


# --- baskets ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Shop:
    """What all baskets go by."""

    needs: np.ndarray  # (segment, cluster, week, weather): expected needs of a visit
    types: np.ndarray  # the same, type: cumulated shares
    articles: dict[int, np.ndarray]  # cluster: its articles (type, k)
    choice: dict[int, np.ndarray]  # cluster: (segment, week, type, k): cumulated shares
    is_carried: np.ndarray  # (cluster, type)
    rules: dict[str, np.ndarray]
    units: float = 0.3  # expected, beyond the first


def _baskets(world: World) -> None:
    scale, shop = world.scale, _shop(world)
    world.run("CREATE TABLE visit_context AS " + _CONTEXT)
    shelves = Shelves(world)
    chunks = range(0, scale.weeks, CHUNK_WEEKS)
    for first in chunks:
        visit = world.get(
            "FROM visit_context WHERE week >= ? AND week < ? ORDER BY order_id", first, first + CHUNK_WEEKS
        )
        rng = scale.rng("baskets", first)
        line = _lines(rng, shop, visit)
        line["day"] = visit["day"][line["visit"]]
        line["store_id"] = visit["store_id"][line["visit"]]
        shelves.serve(line, first * 7, min((first + CHUNK_WEEKS) * 7, scale.days))
        world.add("demand", {
            "order_id": visit["order_id"][line["visit"]],
            "product_id": line["product_id"].astype(np.int32),
            "units": line["units"].astype(np.int16), "sold": line["sold"].astype(np.int16),
            "is_by_rule": line["is_by_rule"],
        })  # fmt: skip
    shelves.close()
    world.run(
        _ORDERS,
        _LINES,
        "CREATE TABLE visit_day AS SELECT order_id, day, store_id FROM visit ORDER BY order_id",
        "DROP TABLE visit",
        "DROP TABLE visit_context",
    )


_CONTEXT = f"""
    SELECT v.order_id, v.day, day.week, v.store_id, person.segment, store.cluster,
           -- (colder, as usual, warmer) x (dry, wet)
           2 * (1 + (temperature_c - usual_c >= 3)::INT - (temperature_c - usual_c <= -3)::INT)
           + (rain_mm >= {WET_MM})::INT AS weather
    FROM visit v JOIN day USING (day) JOIN person USING (person_id) JOIN store USING (store_id)
    JOIN weather ON weather.day = v.day AND weather.city_id = person.city_id
    ORDER BY v.order_id"""

# Amounts in whole cents: what the shelf says, what the retailer takes off, what a coupon takes off.
_ORDERS = """
    CREATE TABLE "order" AS
    SELECT visit.*, CASE channel WHEN 0 THEN 'T' || lpad(order_id::VARCHAR, 10, '0')
                                 WHEN 1 THEN 'SO' || lpad(order_id::VARCHAR, 10, '0')
                                 WHEN 2 THEN (4000000000000000000 + order_id::BIGINT * 7919)::VARCHAR
                                 ELSE (290000000000 + order_id::BIGINT * 13)::VARCHAR END AS number
    FROM visit
    WHERE order_id IN (SELECT order_id FROM demand WHERE sold > 0) ORDER BY order_id"""
_LINES = """
    CREATE TABLE line AS
    SELECT order_id, row_number() OVER (PARTITION BY order_id ORDER BY product_id)::INT AS line_number, product_id,
           sold AS units, regular_price, price,
           (regular_price * sold)::DECIMAL(18, 2) AS list_amount,
           (regular_price * sold)::DECIMAL(18, 2) - (price * sold)::DECIMAL(18, 2) AS retail_discount,
           round((price * sold) * coalesce(coupon_share, 0), 2)::DECIMAL(18, 2) AS coupon_discount,
           (cost * sold)::DECIMAL(18, 2) AS cost_amount, is_by_rule
    FROM demand JOIN "order" USING (order_id) JOIN day USING (day) JOIN price USING (product_id, week)
    JOIN (SELECT product_id, cost FROM product) USING (product_id)
    LEFT JOIN (SELECT campaign_id, coupon_share FROM campaign) USING (campaign_id)
    WHERE sold > 0 ORDER BY order_id, line_number"""


def _shop(world: World) -> _Shop:
    scale = world.scale
    kind = world.get("FROM type ORDER BY type_id")
    types, weeks = len(kind["type_id"]), scale.weeks
    likes = np.array([[int(c) for c in row] for row in kind["likes"]], float).T  # (segment, type)
    likes *= kind["weight"]
    month = world.get("SELECT month FROM day WHERE weekday = 3 OR day = (SELECT max(day) FROM day) ORDER BY day")[
        "month"
    ]
    away = np.abs(month[:weeks, None] - kind["peak_month"])
    away = np.minimum(away, 12 - away)
    season = 1 + kind["peak"] * np.exp(-((away / 1.2) ** 2))  # (week, type)
    weather = np.exp(
        np.array([-WARMER_C, 0, WARMER_C])[:, None, None] * kind["heat"] + np.array([0, 1])[:, None] * kind["rain"]
    ).reshape(6, types)
    price = world.get("SELECT factor, factor_convenience FROM price ORDER BY product_id, week")
    popularity = world.get("SELECT popularity FROM product ORDER BY product_id")["popularity"]
    carried = world.get(
        "SELECT cluster, product_id, type_id FROM assortment JOIN product USING (product_id) ORDER BY 1, 2"
    )
    clusters = int(carried["cluster"].max()) + 1
    articles, choice, is_carried = {}, {}, np.zeros((clusters, types), bool)
    pull = np.empty((len(SEGMENTS), clusters, weeks, types))
    for cluster in range(clusters):
        own, is_there = _by_type(*(carried[c][carried["cluster"] == cluster] for c in ("product_id", "type_id")))
        name = "factor_convenience" if cluster in (5, 6) else "factor"
        factor = price[name].reshape(-1, weeks)[own]  # (type, k, week)
        is_carried[cluster] = is_there.any(axis=1)
        base = (popularity[own] * is_there)[:, :, None]
        weight = base * factor ** _of_segments("sensitivity")[:, None, None, None]  # (segment, type, k, week)
        none = base.sum(axis=1) == 0  # a type that is not carried is not wanted here
        pull[:, cluster] = (weight.sum(axis=2) / (base.sum(axis=1) + none)).transpose(0, 2, 1)
        share = np.cumsum(weight.transpose(0, 3, 1, 2), axis=-1)
        articles[cluster], choice[cluster] = own, (share / np.maximum(share[..., -1:], 1e-9)).astype(np.float32)
    wanted = likes[:, None, None, None, :] * (season[:, None, :] * weather) * pull[:, :, :, None, :]
    needs = _of_segments("needs")[:, None, None, None] * wanted.sum(axis=-1) / likes.sum(axis=-1)[:, None, None, None]
    share = np.cumsum(wanted, axis=-1)
    return _Shop(needs, share / share[..., -1:], articles, choice, is_carried, world.get("FROM rule"))


def _among(ordered: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Which values are in a sorted array: np.isin hashes both, which takes ten times as long here."""
    place = np.searchsorted(ordered, values)
    return ordered[np.minimum(place, len(ordered) - 1)] == values


def _by_type(product: np.ndarray, kind: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Articles as (type, k), and which of these places are taken: a type may have fewer than another."""
    first = np.searchsorted(kind, np.arange(kind.max() + 1))
    place = np.arange(len(kind)) - first[kind]
    own, is_there = (np.zeros((len(first), int(place.max()) + 1), dtype) for dtype in (np.int32, bool))
    own[kind, place], is_there[kind, place] = product, True
    return own, is_there


def _lines(rng: np.random.Generator, shop: _Shop, visit: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The lines of these visits, by visit and type: which article, how many, and whether a rule put it there."""
    types = shop.types.shape[-1]
    at = np.ravel_multi_index([visit[c] for c in ("segment", "cluster", "week", "weather")], shop.needs.shape)
    needs = rng.poisson(shop.needs.ravel()[at])
    who = np.repeat(np.arange(len(needs)), needs)
    ladder = (shop.types.reshape(-1, types) + np.arange(shop.needs.size)[:, None]).ravel()
    kind = np.searchsorted(ladder, at[who] + rng.random(len(who)), side="right") % types
    needed, times = np.unique(who.astype(np.int64) * types + kind, return_counts=True)
    key = needed
    for antecedent, consequent, chance in zip(*(shop.rules[c] for c in shop.rules), strict=True):
        follows = key[key % types == antecedent]
        follows = follows[rng.random(len(follows)) < chance] - antecedent + consequent
        here = shop.is_carried[visit["cluster"][follows // types], consequent]
        key = np.concatenate([key, follows[here & ~_among(needed, follows)]])
    by_rule = np.unique(key[len(needed) :])
    order = np.argsort(key := np.concatenate([needed, by_rule]), kind="stable")
    key, times = key[order], np.concatenate([times, np.ones(len(by_rule), int)])[order]
    by_rule = (np.arange(len(key)) >= len(needed))[order]
    who, kind = key // types, key % types
    product = np.empty(len(key), np.int32)
    for cluster, share in shop.choice.items():
        here = np.flatnonzero(visit["cluster"][who] == cluster)
        rows = share[visit["segment"][who[here]], visit["week"][who[here]], kind[here]]
        k = (rows <= rng.random(len(here))[:, None]).sum(axis=1).clip(0, rows.shape[1] - 1)
        product[here] = shop.articles[cluster][kind[here], k]
    units = times + rng.poisson(shop.units, len(key))
    return {"visit": who, "product_id": product, "units": units, "is_by_rule": by_rule}
