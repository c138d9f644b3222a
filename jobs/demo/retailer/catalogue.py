"""What is sold: the tree of types, articles, rules between types, and each week's price with what it does to demand.

**Demand of an article in a week** is its base popularity times a factor, the product of

- own price: `(price / first regular price) ** elasticity`, the elasticity of its type give or take a tenth;
- a mailer (x 1.35) and a display (x 1.25, not in convenience stores);
- what was bought ahead: after a promotion that lifted demand u-fold, demand of a good that keeps is lower by
  `stockpiling x 0.35 x (u - 1) / u` in the next week, half of that in the week after, and so on for four weeks;
- cannibalisation: while another article of its type is lifted u-fold, it loses `0.25 x (u - 1) / u` of its share;
- a competitor's price, where one is watched: `(competitor / usual) ** 0.4`.

A person of price sensitivity g feels the factor to the power of g. Base and factors are written to the truth.
"""

import csv
from importlib.resources import files

import numpy as np
import pyarrow as pa

from jobs.demo.retailer.places import FORMATS
from jobs.demo.retailer.world import World

BRANDS = {  # invented; the first is the retailer's own
    "禾谷": "Hegu", "晨露": "Morning Dew", "青禾园": "Greenfield", "山里人家": "Hill Farm", "海之味": "Sea Taste",
    "小满": "Xiaoman", "乐饮": "Leyin", "暖居": "Nuanju", "优贝": "Youbei", "本真": "Benzhen", "老灶台": "Old Stove",
    "云上": "Cloudtop",
}  # fmt: skip
VARIANTS = (
    ("经典", "classic"), ("精选", "selected"), ("家庭装", "family pack"), ("有机", "organic"), ("轻享", "light"),
    ("原味", "original"), ("特级", "extra"), ("迷你", "mini"),
)  # fmt: skip
# What else is put in the basket because of what is in it, and how often. Everything else that goes together does so
# because the same people like both, or at the same time of the year.
RULES = (
    ("Infant formula", "Nappies", 0.30),  # before the rule that goes on from what this one adds
    ("Nappies", "Baby wipes", 0.45),
    ("Hotpot slices", "Hotpot base", 0.50),
    ("Hotpot base", "Mushrooms", 0.30),
    ("Beer", "Potato chips", 0.30),
    ("Baijiu", "Nuts", 0.25),
    ("Toast", "Fresh milk", 0.35),
    ("Pork", "Leafy greens", 0.28),
    ("Beef", "Root vegetables", 0.22),
    ("Tofu", "Mushrooms", 0.16),
    ("Dumplings", "Vinegar", 0.32),
    ("Detergent", "Softener", 0.28),
    ("Instant coffee", "Biscuits", 0.20),
    ("Rice", "Cooking oil", 0.18),
    ("Instant noodles", "Eggs", 0.15),
    ("Sunscreen", "Bottled water", 0.18),
    ("Shampoo", "Toothpaste", 0.16),
    ("Berries", "Yogurt", 0.25),
)
# Articles of a type that a store of this format has, and of a type that spoils within days.
CARRIED = dict(zip(FORMATS, (4, 3, 2), strict=True))
CARRIED_FRESH = dict(zip(FORMATS, (1, 1, 1), strict=True))
CONVENIENT = ("Leafy greens", "Bananas", "Fresh milk", "Toast")  # fresh types that a convenience store has
FRESH_DAYS = 10
MAILER, DISPLAY = 1.35, 1.25
AHEAD, AHEAD_WEEKS = 0.35, 4
CANNIBAL = 0.25
CROSS = 0.4
WATCHED = 0.15  # share of articles whose price at a competitor is known
DEPTHS = (0.10, 0.15, 0.20, 0.25, 0.30, 0.40)
DEPTH_WEIGHTS = (0.15, 0.2, 0.28, 0.17, 0.14, 0.06)


def make(world: World) -> None:
    """Tables type, product, assortment, rule, price, competitor."""
    _types(world)
    _products(world)
    _assortment(world)
    _prices(world)


def _types(world: World) -> None:
    path = files("jobs.demo.retailer") / "types.csv"
    rows = list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))
    numbers = ("price", "margin", "stockpiling", "elasticity", "peak", "heat", "rain", "weight")
    integers = ("shelf_life_days", "peak_month")
    world.add("type", {"type_id": np.arange(len(rows), dtype=np.int32)} | {
        name: np.array([
            float(r[name]) if name in numbers else int(r[name]) if name in integers else r[name] for r in rows
        ])
        for name in rows[0]
    })  # fmt: skip
    number = {r["type_en"]: i for i, r in enumerate(rows)}
    world.add("rule", {
        "antecedent": np.array([number[a] for a, _, _ in RULES], np.int32),
        "consequent": np.array([number[b] for _, b, _ in RULES], np.int32),
        "chance": np.array([p for _, _, p in RULES]),
    })  # fmt: skip


def _products(world: World) -> None:
    rng, each = world.scale.rng("products"), world.scale.products_per_type
    kind = world.get("FROM type ORDER BY type_id")
    of = np.repeat(kind["type_id"], each)
    n = len(of)
    rank = np.tile(np.arange(each), len(kind["type_id"]))
    brand = (rng.integers(1, len(BRANDS), n) + rank) % len(BRANDS)
    brand[rank == 0] = 0  # the retailer's own brand has the first article of every type
    variant = (rng.integers(0, len(VARIANTS), n) + rank) % len(VARIANTS)
    own = brand == 0
    price = kind["price"][of] * np.exp(rng.normal(0, 0.28, n)) * np.where(own, 0.82, 1.0)
    # Shelf prices end in a nine.
    price = np.maximum(np.where(price < 20, np.ceil(price * 2) / 2 - 0.1, np.ceil(price) - 0.1), 1.9).round(2)
    margin = np.clip(kind["margin"][of] + rng.normal(0, 0.03, n) + 0.05 * own, 0.06, 0.6)
    zh, en = (np.array(names) for names in (list(BRANDS), list(BRANDS.values())))
    variant_zh, variant_en = (np.array([v[i] for v in VARIANTS]) for i in (0, 1))
    digits = 6_900_000_000_00 + np.arange(n)  # 690 is China's prefix
    world.add("product", {
        "product_id": np.arange(n, dtype=np.int32),
        "code": np.char.add("P", np.char.zfill((np.arange(n) + 1).astype(str), 6)),
        "gtin": _gtin(digits),
        "type_id": of.astype(np.int32),
        "brand_zh": zh[brand], "brand_en": en[brand], "is_own_brand": own,
        "name_zh": _joined(zh[brand], variant_zh[variant], kind["type_zh"][of], kind["pack"][of], sep=""),
        "name_en": _joined(en[brand], variant_en[variant], kind["type_en"][of], kind["pack"][of], sep=" "),
        "regular_price": price,
        "cost": (price * (1 - margin)).round(2),
        "popularity": 1.0 / (1 + rank) ** 0.9 * np.exp(rng.normal(0, 0.2, n)),
        "elasticity": kind["elasticity"][of] * rng.uniform(0.9, 1.1, n),
        "supplier": np.char.add("V", np.char.zfill((1 + of // 3 + 20 * (brand % 3)).astype(str), 4)),
    })  # fmt: skip


def _gtin(digits: np.ndarray) -> np.ndarray:
    """GTIN-13: twelve digits and their check digit (GS1 General Specifications 7.9)."""
    split = digits[:, None] // 10 ** np.arange(11, -1, -1) % 10
    check = -(split * np.tile([1, 3], 6)).sum(axis=1) % 10
    return (digits * 10 + check).astype(str)


def _joined(*parts: np.ndarray, sep: str) -> np.ndarray:
    return np.array([sep.join(words) for words in zip(*parts, strict=True)])


def _assortment(world: World) -> None:
    """Stores of a cluster carry the same articles: the own brand, and others by popularity.

    The warehouse (cluster 0) has all that keeps.
    """
    rng, each = world.scale.rng("assortment"), world.scale.products_per_type
    product = world.get("SELECT product_id, popularity FROM product ORDER BY product_id")
    kind = world.get("SELECT type_en, shelf_life_days FROM type ORDER BY type_id")
    types, life = len(kind["type_en"]), kind["shelf_life_days"]
    is_fresh = (life > 0) & (life <= FRESH_DAYS)
    is_convenient = ~is_fresh | np.isin(kind["type_en"].astype(str), CONVENIENT)
    keeps = product["product_id"][np.repeat(~is_fresh, each)]
    cluster, carried = [np.zeros(len(keeps), np.int32)], [keeps]
    for number, form in enumerate(np.repeat(FORMATS, 2), 1):
        liked = product["popularity"].reshape(types, each) * np.exp(rng.normal(0, 0.5, (types, each)))
        liked[:, 0] = np.inf
        chosen = np.argsort(-liked, axis=1) + each * np.arange(types)[:, None]
        some = np.where(is_fresh, CARRIED_FRESH[form], CARRIED[form]) * (is_convenient | (form != "convenience"))
        kept = np.arange(each) < some[:, None]
        carried.append(np.sort(chosen[kept]).astype(np.int32))
        cluster.append(np.full(kept.sum(), number, np.int32))
    world.add("assortment", {"cluster": np.concatenate(cluster), "product_id": np.concatenate(carried)})


def _prices(world: World) -> None:
    """Regular prices move in steps, promotions come and go: both by chance, so that their effect can be found."""
    scale, weeks = world.scale, world.scale.weeks
    rng, each = scale.rng("prices"), scale.products_per_type
    product = world.get("""
        SELECT product_id, type_id, p.elasticity, popularity, regular_price, stockpiling, is_own_brand, shelf_life_days
        FROM product p JOIN type t USING (type_id) ORDER BY product_id""")
    n = len(product["product_id"])
    festive = np.zeros(weeks, bool)
    festive[np.unique(world.get("SELECT week FROM day WHERE festival IS NOT NULL")["week"])] = True
    first = product["regular_price"][:, None]
    step = np.where(rng.random((n, weeks)) < 0.025, rng.choice([-0.06, 0.05, 0.08, 0.12], (n, weeks)), 0)
    step[:, 0] = 0
    level = np.clip(np.exp(np.cumsum(step, axis=1)), 0.8, 1.4)
    regular = np.maximum(first * level, 1).round(1)
    begins = (
        rng.random((n, weeks)) < np.where(festive, 0.10, 0.035) * np.where(product["is_own_brand"], 0.6, 1)[:, None]
    )
    lasting = begins.copy()
    lasting[:, 1:] |= begins[:, :-1] & (rng.random((n, weeks - 1)) < 0.5)  # half of them take two weeks
    depth = rng.choice(DEPTHS, (n, weeks), p=DEPTH_WEIGHTS)
    depth[:, 1:] = np.where(lasting[:, 1:] & ~begins[:, 1:], depth[:, :-1], depth[:, 1:])
    depth *= lasting
    price = (regular * (1 - depth)).round(1)
    mailer, display = (lasting & (rng.random((n, weeks)) < share) for share in (0.5, 0.3))
    watched = rng.random(n) < WATCHED
    competitor = (first * np.exp(np.cumsum(rng.normal(0, 0.02, (n, weeks)), axis=1))).round(1)

    own = (price / first) ** product["elasticity"][:, None]
    unpromoted = (regular / first) ** product["elasticity"][:, None]
    lift = np.where(lasting, own / unpromoted * np.where(mailer, MAILER, 1) * np.where(display, DISPLAY, 1), 1)
    excess = (lift - 1) / lift
    ahead = np.ones((n, weeks))
    for later in range(1, AHEAD_WEEKS + 1):
        loss = AHEAD * product["stockpiling"][:, None] * excess[:, :-later] * 0.5 ** (later - 1)
        ahead[:, later:] *= 1 - loss
    ahead = np.where(lasting, 1, ahead)  # who buys at a bargain again does not look into the cupboard
    share = product["popularity"] / np.repeat(product["popularity"].reshape(-1, each).sum(axis=1), each)
    taken = (CANNIBAL * share[:, None] * excess).reshape(-1, each, weeks)
    cannibal = 1 - (taken.sum(axis=1, keepdims=True) - taken).reshape(n, weeks).clip(0, 0.6)
    cross = np.where(watched[:, None], (competitor / first) ** CROSS, 1)
    usual = unpromoted * cross
    inside = own * np.where(mailer, MAILER, 1) * ahead * cannibal * cross
    cell = {"product_id": np.repeat(product["product_id"], weeks), "week": np.tile(np.arange(weeks, dtype=np.int32), n)}
    world.add("price", {
        **cell,
        "regular_price": regular.ravel(), "price": price.ravel(), "depth": depth.ravel(),
        "is_promoted": lasting.ravel(), "has_mailer": mailer.ravel(), "has_display": display.ravel(),
        # Displays are not for convenience stores: their factor lacks it.
        "factor": (inside * np.where(display, DISPLAY, 1)).ravel(),
        "factor_convenience": inside.ravel(),
        "factor_unpromoted": usual.ravel(),
    })  # fmt: skip
    seen = np.repeat(watched, weeks)
    world.add("competitor", {
        "product_id": cell["product_id"][seen], "week": cell["week"][seen],
        "competitor_price": competitor.ravel()[seen],
        "competitor": pa.array(np.where(cell["product_id"][seen] % 3 == 0, "大福超市", "每家鲜")),
    })  # fmt: skip
