"""Where and when: days with their holidays, cities with their weather, stores and the marketplaces' warehouse."""

from datetime import timedelta

import holidays
import numpy as np
import pyarrow as pa

from jobs.demo.retailer.world import World, choose

# name, name in Chinese, province, latitude, longitude, weight, mean temperature °C, yearly swing °C, share of wet days
CITIES = (
    ("Shanghai", "上海", "上海市", 31.23, 121.47, 20, 17.5, 12.0, 0.34),
    ("Hangzhou", "杭州", "浙江省", 30.27, 120.16, 13, 17.8, 12.2, 0.40),
    ("Nanjing", "南京", "江苏省", 32.06, 118.80, 11, 16.8, 13.0, 0.32),
    ("Suzhou", "苏州", "江苏省", 31.30, 120.62, 11, 17.2, 12.3, 0.35),
    ("Beijing", "北京", "北京市", 39.90, 116.41, 12, 13.5, 15.5, 0.19),
    ("Chengdu", "成都", "四川省", 30.57, 104.07, 10, 17.0, 10.0, 0.36),
    ("Guangzhou", "广州", "广东省", 23.13, 113.26, 9, 22.8, 7.5, 0.38),
    ("Shenzhen", "深圳", "广东省", 22.54, 114.06, 8, 23.3, 7.0, 0.37),
    ("Wuhan", "武汉", "湖北省", 30.59, 114.31, 7, 17.3, 13.0, 0.33),
    ("Xi'an", "西安", "陕西省", 34.34, 108.94, 5, 14.8, 13.8, 0.25),
    ("Qingdao", "青岛", "山东省", 36.07, 120.38, 4, 13.3, 12.8, 0.23),
    ("Harbin", "哈尔滨", "黑龙江省", 45.80, 126.53, 3, 5.2, 20.5, 0.27),
)
FORMATS = ("hypermarket", "supermarket", "convenience")
FORMAT_SHARES = (0.12, 0.55, 0.33)
FORMAT_AREA_M2 = (8000, 1800, 150)
FORMAT_TRAFFIC = (6.0, 1.0, 0.4)  # visitors, relative
WAREHOUSE = "W001"  # from which the marketplaces' orders are sent

# When people shop for more than the month says: (name, first and last day as month-day) of each year.
FESTIVALS = {
    "Spring Festival shopping": (("2024-01-26", "2024-02-09"), ("2025-01-14", "2025-01-28")),
    "618": (("2024-06-01", "2024-06-20"), ("2025-06-01", "2025-06-20")),
    "Mid-Autumn shopping": (("2024-09-06", "2024-09-17"), ("2025-09-25", "2025-10-06")),
    "Double 11": (("2024-11-01", "2024-11-11"), ("2025-11-01", "2025-11-11")),
}


def make(world: World) -> None:
    """Tables day, holiday, city, weather, store."""
    _days(world)
    _cities(world)
    _weather(world)
    _stores(world)


def _days(world: World) -> None:
    scale = world.scale
    number = np.arange(scale.days)
    dates = np.datetime64(scale.first) + number
    named = holidays.country_holidays("CN", years=range(scale.first.year, scale.last.year + 1), language="en_US")
    names = [named.get(scale.first + timedelta(days=int(n))) for n in number]
    festival = np.full(scale.days, None, object)
    for name, spans in FESTIVALS.items():
        for first, last in spans:
            festival[(dates >= np.datetime64(first)) & (dates <= np.datetime64(last))] = name
    world.add("day", {
        "day": number.astype(np.int32),
        "date": dates,
        "week": (number // 7).astype(np.int32),  # scale.first is a Monday
        "weekday": (number % 7).astype(np.int8),  # 0 is Monday
        "month": (dates.astype("datetime64[M]").astype(int) % 12 + 1).astype(np.int8),
        "holiday": pa.array(names, pa.string()),
        "festival": pa.array(festival, pa.string()),
    })  # fmt: skip


def _cities(world: World) -> None:
    columns = list(zip(*CITIES, strict=True))
    names = ("name_en", "name_zh", "province_zh", "latitude", "longitude", "weight", "mean_c", "swing_c", "wet")
    world.add("city", {
        "city_id": np.arange(len(CITIES), dtype=np.int32),
        **{name: np.array(c) for name, c in zip(names, columns, strict=True)},
    })  # fmt: skip


def _weather(world: World) -> None:
    """Temperature: a yearly wave and an error that lasts some days. Rain: wet days follow wet days."""
    rng, days, city = world.scale.rng("weather"), world.scale.days, world.get("FROM city ORDER BY city_id")
    cities = len(city["city_id"])
    error = np.zeros((days, cities))
    wet = np.zeros((days, cities), bool)
    shock, chance = rng.normal(0, 2.0, (days, cities)), rng.random((days, cities))
    for day in range(days):
        before = max(day - 1, 0)
        error[day] = 0.7 * error[before] + shock[day]
        # The chance of rain after rain, and after none, that leave the share of wet days as it should be.
        after_rain = 0.35 + 0.5 * city["wet"]
        after_dry = city["wet"] * (1 - after_rain) / (1 - city["wet"])
        wet[day] = chance[day] < np.where(wet[before], after_rain, after_dry)
    year = 2 * np.pi * (np.arange(days)[:, None] - 200) / 365.25  # the hottest day is in the second half of July
    mean = city["mean_c"] + city["swing_c"] * np.cos(year) + error
    rain = np.where(wet, rng.gamma(0.8, 12.0, (days, cities)), 0)
    world.add("weather", {
        "city_id": np.tile(np.arange(cities, dtype=np.int32), days),
        "day": np.repeat(np.arange(days, dtype=np.int32), cities),
        "temperature_c": mean.round(1).ravel() + 0.0,  # no -0.0
        "usual_c": (city["mean_c"] + city["swing_c"] * np.cos(year) + 0 * error).round(1).ravel(),
        "rain_mm": rain.round(1).ravel(),
        "wind_m_s": rng.gamma(3.0, 1.1, days * cities).round(1),
    })  # fmt: skip


def _stores(world: World) -> None:
    rng, n = world.scale.rng("stores"), world.scale.stores
    city = world.get("FROM city ORDER BY city_id")
    where = choose(rng, city["weight"][None, :], np.zeros(n, int))
    where[: min(n, 3)] = np.arange(min(n, 3))  # the smallest chain has stores in three cities too
    form = choose(rng, np.array([FORMAT_SHARES]), np.zeros(n, int))
    form[:3] = (0, 1, 2)
    area = np.array(FORMAT_AREA_M2)[form] * rng.uniform(0.7, 1.4, n)
    opened = -rng.integers(200, 4000, n)
    number = np.arange(n + 1)
    last = [np.array([v]) for v in (0, 1, 30000.0, -1500)]
    where, form, area, opened = (np.append(a, b) for a, b in zip((where, form, area, opened), last, strict=True))
    world.add("store", {
        "store_id": number.astype(np.int32),
        "code": np.array([f"S{i + 1:04d}" for i in range(n)] + [WAREHOUSE]),
        "city_id": where.astype(np.int32),
        "format": np.where(number == n, "warehouse", np.array(FORMATS)[form]),
        "is_warehouse": number == n,
        "traffic": np.array(FORMAT_TRAFFIC)[form] * (number < n),
        "area_m2": area.round().astype(np.int32),
        "latitude": (city["latitude"][where] + rng.normal(0, 0.06, n + 1)).round(6),
        "longitude": (city["longitude"][where] + rng.normal(0, 0.07, n + 1)).round(6),
        "opened_day": opened.astype(np.int32),
        # Stores of one format in one half of the country carry the same articles; the warehouse carries all.
        "cluster": np.where(number == n, 0, 1 + form * 2 + (where >= 4)).astype(np.int32),
    })  # fmt: skip
