"""What comes after the sale: payments, states and deliveries of online orders, returns, words, social life."""

import numpy as np

from jobs.demo.retailer import texts
from jobs.demo.retailer.world import World, choose, pick

METHODS = ("wechat_pay", "alipay", "unionpay_card", "cash", "gift_card")
METHOD_SHARES = ((0.42, 0.28, 0.14, 0.13, 0.03), (0.68, 0.30, 0.02, 0, 0), (0, 1, 0, 0, 0), (0.75, 0, 0.25, 0, 0))
SPLIT = 0.03  # of tickets at the till are paid in two ways
RETURNED = (0.012, 0.03, 0.05, 0.045)  # of lines, by channel
REASONS = ("quality", "wrong_article", "changed_mind", "damaged", "expired")
NEVER_PAID = 0.05  # of online orders have a twin some minutes before that was never paid
POINTS = 12  # of a courier's track per delivery
REVIEWED = (0.004, 0.10, 0.13, 0.14)  # of lines, by channel
TICKETED, SURVEYED = 0.010, 0.012  # of orders
PLATFORMS = {"wx": "wechat", "dy": "douyin", "wb": "weibo", "xhs": "xiaohongshu"}  # by the prefix of the handle
DOINGS = ("follow", "like", "comment", "share", "group_join", "live_view")
DOING_SHARES = (0.08, 0.5, 0.14, 0.1, 0.03, 0.15)
SOCIAL_PER_ACCOUNT = 9.0


def make(world: World) -> None:
    """Tables payment, return, state, delivery, point, review, ticket, survey, social."""
    _payments(world)
    _returns(world)
    _states(world)
    _deliveries(world)
    _reviews(world)
    _tickets(world)
    _surveys(world)
    _social(world)


def _payments(world: World) -> None:
    """Amounts in cents; a ticket that is split is split at a random third."""
    rng = world.scale.rng("payments")
    order = world.get("""
        SELECT order_id, channel, sum(list_amount - retail_discount - coupon_discount)::DOUBLE AS paid
        FROM line JOIN "order" USING (order_id) GROUP BY ALL ORDER BY order_id""")
    n = len(order["order_id"])
    cents = np.round(order["paid"] * 100).astype(np.int64)
    method = choose(rng, np.array(METHOD_SHARES), order["channel"])
    split = np.flatnonzero((order["channel"] == 0) & (rng.random(n) < SPLIT) & (cents > 1000))
    second = cents[split] // 3
    cents[split] -= second
    of = np.concatenate([np.arange(n), split])
    number = np.concatenate([np.ones(n, int), np.full(len(split), 2)])
    sort = np.lexsort((number, of))
    world.add("payment_raw", {
        "order_id": order["order_id"][of][sort], "payment_number": number[sort].astype(np.int8),
        "method": np.array(METHODS)[np.concatenate([method, (method[split] + 1) % 4])[sort]],
        "cents": np.concatenate([cents, second])[sort],
    })  # fmt: skip
    world.run("""
        CREATE TABLE payment AS SELECT order_id, payment_number, method, (cents / 100)::DECIMAL(18, 2) AS amount
        FROM payment_raw ORDER BY order_id, payment_number""", "DROP TABLE payment_raw")  # fmt: skip


def _returns(world: World) -> None:
    rng, days = world.scale.rng("returns"), world.scale.days
    line = world.get("""
        SELECT order_id, line_number, units, channel, day FROM line JOIN "order" USING (order_id) ORDER BY 1, 2""")
    some = rng.random(len(line["day"])) < np.array(RETURNED)[line["channel"]]
    line = {k: v[some] for k, v in line.items()}
    n = len(line["day"])
    back = line["day"] + rng.geometric(0.3, n) + np.array([1, 2, 8, 8])[line["channel"]]  # when it has arrived
    inside = back < days
    units = np.where(rng.random(n) < 0.8, line["units"], 1 + (rng.random(n) * line["units"]).astype(int))
    world.add("return", {
        "order_id": line["order_id"][inside], "line_number": line["line_number"][inside],
        "units": units[inside].astype(np.int32), "day": back[inside].astype(np.int32),
        "second": rng.integers(9 * 3600, 21 * 3600, n)[inside].astype(np.int32),
        "reason": pick(rng, REASONS, n, (0.35, 0.15, 0.3, 0.12, 0.08))[inside],
    })  # fmt: skip


STATES = ("created", "paid", "shipped", "finished", "closed")


def _states(world: World) -> None:
    """What an online order goes through; `unpaid` are twins that were closed when nobody paid."""
    rng, days = world.scale.rng("states"), world.scale.days
    order = world.get('SELECT order_id, channel, day, second FROM "order" WHERE channel > 0 ORDER BY order_id')
    n = len(order["order_id"])
    start = order["day"].astype(np.int64) * 86400 + order["second"]
    app = order["channel"] == 1
    paid = start + rng.integers(5, 400, n)
    shipped = paid + np.where(app, rng.integers(600, 5400, n), rng.integers(4 * 3600, 40 * 3600, n))
    finished = shipped + np.where(app, rng.integers(900, 7200, n), rng.integers(20 * 3600, 120 * 3600, n))
    at = np.stack([start, paid, shipped, finished])
    state, of = np.nonzero(at < days * 86400)
    world.add("state", {
        "order_id": order["order_id"][of], "state": np.array(STATES)[state],
        "day": (at[state, of] // 86400).astype(np.int32), "second": (at[state, of] % 86400).astype(np.int32),
    })  # fmt: skip
    twin = np.flatnonzero(rng.random(n) < NEVER_PAID)
    before = np.maximum(start[twin] - rng.integers(120, 1800, len(twin)), 0)
    world.add("unpaid", {
        "order_id": order["order_id"][twin], "day": (before // 86400).astype(np.int32),
        "second": (before % 86400).astype(np.int32),
    })  # fmt: skip


def _deliveries(world: World) -> None:
    """App orders come by courier from the store, with a track; marketplaces' parcels only report their stations."""
    rng = world.scale.rng("deliveries")
    order = world.get("""
        SELECT s.order_id, s.day * 86400::BIGINT + s.second AS shipped, f.day * 86400::BIGINT + f.second AS finished,
               store.latitude AS from_lat, store.longitude AS from_lon, p.latitude AS to_lat, p.longitude AS to_lon,
               channel
        FROM state s JOIN state f ON s.order_id = f.order_id AND s.state = 'shipped' AND f.state = 'finished'
        JOIN "order" o ON o.order_id = s.order_id JOIN store USING (store_id) JOIN person p USING (person_id)
        ORDER BY s.order_id""")
    n = len(order["order_id"])
    late = rng.random(n) < 0.08
    world.add("delivery", {
        "delivery_id": np.arange(n, dtype=np.int32), "order_id": order["order_id"],
        "courier": np.char.add("K", (1000 + rng.integers(0, max(20, n // 800), n)).astype(str)),
        "shipped_s": order["shipped"], "finished_s": order["finished"], "is_late": late,
        "failed_attempts": (rng.random(n) < 0.03).astype(np.int8),
    })  # fmt: skip
    app = np.flatnonzero(order["channel"] == 1)
    of = np.repeat(app, POINTS)
    step = np.tile(np.arange(POINTS), len(app)) / (POINTS - 1)
    noise = rng.normal(0, 0.0006, (2, len(of)))
    world.add("point", {
        "delivery_id": of.astype(np.int32),
        "at_s": (order["shipped"][of] + step * (order["finished"][of] - order["shipped"][of])).astype(np.int64),
        "latitude": (order["from_lat"][of] + step * (order["to_lat"] - order["from_lat"])[of] + noise[0]).round(6),
        "longitude": (order["from_lon"][of] + step * (order["to_lon"] - order["from_lon"])[of] + noise[1]).round(6),
        "speed_m_s": np.abs(rng.normal(5.5, 2.0, len(of))).round(1),
    })  # fmt: skip


# --- words ------------------------------------------------------------------------------------------------------------


def _languages(rng: np.random.Generator, n: int) -> np.ndarray:
    return pick(rng, ("zh", "en", "mixed"), n, (0.86, 0.10, 0.04))


def _reviews(world: World) -> None:
    """Stars fall with late parcels, returns, and articles that spoil; the topic says what of."""
    rng, days = world.scale.rng("reviews"), world.scale.days
    line = world.get("""
        SELECT line.order_id, line.line_number, product_id, channel, "order".day AS day, type_zh, type_en,
               shelf_life_days BETWEEN 1 AND 10 AS is_fresh, coalesce(is_late, false) AS is_late,
               r.order_id IS NOT NULL AS is_returned, retail_discount > 0 AS is_bargain,
               coalesce(finished_s // 86400, "order".day) AS arrived_day
        FROM line JOIN "order" ON "order".order_id = line.order_id JOIN product USING (product_id)
        JOIN type USING (type_id) LEFT JOIN delivery ON delivery.order_id = line.order_id
        LEFT JOIN "return" r ON r.order_id = line.order_id AND r.line_number = line.line_number
        ORDER BY 1, 2""")
    some = rng.random(len(line["day"])) < np.array(REVIEWED)[line["channel"]] * (1 + 2 * line["is_returned"])
    line = {k: v[some] for k, v in line.items()}
    n = len(line["day"])
    mood = 1.15 - 0.9 * line["is_late"] - 1.6 * line["is_returned"] - 0.35 * line["is_fresh"] + 0.3 * line["is_bargain"]
    stars = np.clip(np.round(3.6 + mood + rng.normal(0, 0.9, n)), 1, 5).astype(np.int8)
    number = {topic: i for i, topic in enumerate(texts.TOPICS)}
    topic = pick(rng, [number[t] for t in ("taste", "packaging", "price", "staff_service")], n, (0.4, 0.2, 0.25, 0.15))
    topic = np.where(line["is_fresh"] & (rng.random(n) < 0.6), number["freshness"], topic)
    topic = np.where(line["is_bargain"] & (rng.random(n) < 0.5), number["price"], topic)
    topic = np.where(line["is_late"] & (rng.random(n) < 0.8), number["delivery_speed"], topic)
    topic = np.where(line["is_returned"] & (rng.random(n) < 0.5), number["refund"], topic)
    topic = np.where((line["channel"] > 0) & (stars <= 2) & (rng.random(n) < 0.2), number["delivery_damage"], topic)
    language = _languages(rng, n)
    said = texts.reviews(rng, line["type_zh"], line["type_en"], stars, topic, language)
    day = line["arrived_day"] + rng.integers(1, 9, n)
    inside = day < days
    world.add("review", {k: v[inside] for k, v in {
        "order_id": line["order_id"], "line_number": line["line_number"], "product_id": line["product_id"],
        "stars": stars, "topic": np.array(texts.TOPICS)[topic], "is_telling": said.is_telling, "language": language,
        "text": said.text, "day": day.astype(np.int32), "second": rng.integers(8 * 3600, 23 * 3600, n).astype(np.int32),
    }.items()})  # fmt: skip


def _tickets(world: World) -> None:
    rng, days = world.scale.rng("tickets"), world.scale.days
    order = world.get("""
        SELECT order_id, number, "order".day, coalesce(phone, '') AS phone, person_id,
               1 + 4 * coalesce(is_late, false)::INT + 3 * (order_id IN (SELECT order_id FROM "return"))::INT AS weight
        FROM "order" LEFT JOIN delivery USING (order_id) JOIN person USING (person_id)
        WHERE account_id >= 0 ORDER BY order_id""")
    some = rng.random(len(order["day"])) < TICKETED * order["weight"]
    order = {k: v[some] for k, v in order.items()}
    n = len(order["day"])
    channel = pick(rng, ("phone", "wechat", "email"), n, (0.4, 0.5, 0.1))
    topic = rng.integers(0, len(texts.TOPICS), n)
    language = _languages(rng, n)
    said = texts.tickets(rng, channel, topic, language, order["number"].astype(str), order["phone"].astype(str))
    day = order["day"] + rng.integers(0, 6, n)
    inside = day < days
    world.add("ticket", {k: v[inside] for k, v in {
        "order_id": order["order_id"], "person_id": order["person_id"], "channel": channel, "subject": said.subject,
        "body": said.body, "topic": np.array(texts.TOPICS)[topic], "language": language, "day": day.astype(np.int32),
        "second": rng.integers(9 * 3600, 21 * 3600, n).astype(np.int32),
        "resolved_after_s": (rng.exponential(30 * 3600, n) + 600).astype(np.int32),
    }.items()})  # fmt: skip


def _surveys(world: World) -> None:
    rng, days = world.scale.rng("surveys"), world.scale.days
    order = world.get("""
        SELECT order_id, account_id, "order".day, coalesce(is_late, false) AS is_late
        FROM "order" LEFT JOIN delivery USING (order_id) WHERE account_id >= 0 ORDER BY order_id""")
    some = rng.random(len(order["day"])) < SURVEYED
    order = {k: v[some] for k, v in order.items()}
    n = len(order["day"])
    score = np.clip(np.round(8.1 - 2.5 * order["is_late"] + rng.normal(0, 1.9, n)), 0, 10).astype(np.int8)
    topic = rng.integers(0, len(texts.TOPICS), n)
    language = _languages(rng, n)
    said = texts.surveys(rng, score, topic, language)
    day = order["day"] + rng.integers(2, 15, n)
    inside = day < days
    world.add("survey", {k: v[inside] for k, v in {
        "order_id": order["order_id"], "account_id": order["account_id"], "score": score, "text": said.text,
        "topic": np.array(texts.TOPICS)[topic], "language": language, "day": day.astype(np.int32),
    }.items()})  # fmt: skip


def _social(world: World) -> None:
    rng, days = world.scale.rng("social"), world.scale.days
    account = world.get(
        """SELECT account_id, greatest(registered_day, 0) AS begins, split_part(native_id, '_', 1) AS prefix
        FROM account WHERE system = 'social' ORDER BY 1"""
    )
    count = rng.poisson(SOCIAL_PER_ACCOUNT * np.maximum(days - account["begins"], 0) / days)
    of = np.repeat(np.arange(len(count)), count)
    n = len(of)
    doing = pick(rng, DOINGS, n, DOING_SHARES)
    language = _languages(rng, n)
    text, sentiment = texts.comments(rng, language)
    said = doing == "comment"
    day = account["begins"][of] + (rng.random(n) * (days - account["begins"][of])).astype(int)
    second = rng.integers(8 * 3600, 24 * 3600, n)
    sort = np.lexsort((account["account_id"][of], second, day))
    world.add("social", {k: v[sort] for k, v in {
        "account_id": account["account_id"][of], "platform": np.array([PLATFORMS[p] for p in account["prefix"]])[of],
        "doing": doing, "object": np.char.add("post", rng.integers(1, 400, n).astype(str)),
        "text": np.where(said, text, ""), "sentiment": np.where(said, sentiment, 0).astype(np.int8),
        "day": day.astype(np.int32), "second": second.astype(np.int32),
    }.items()})  # fmt: skip
