"""One row per delivery of an order, from its pick-up to the customer's door, at its latest known state.

Its way is the sum of the great circles between its positions in the order of time: shorter than the road. A delivery
without positions (a marketplace's parcel) has none. Positions themselves stay in bronze: they are about a person.
"""

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from jobs.verbs import as_typed, clean, keep_newest


def build(delivery_events: DataFrame, gps_points: DataFrame) -> DataFrame:
    """Events told in any order, and positions, summed to their delivery."""
    ways = gps_points.transform(keep_positions).transform(measure_ways)
    # One to at most one: positions of a delivery that no event names belong to no order.
    return (
        delivery_events.transform(with_types)
        .transform(keep_newest, "delivery_id", "delivery_event", "happened_at")
        .transform(per_delivery)
        .join(ways, on="delivery_id", how="left")
    )


EARTH_RADIUS_M = 6_371_000


def with_types(delivery_events: DataFrame) -> DataFrame:
    """Received text as types."""
    return delivery_events.withColumns(
        {
            "order_id": clean("order_no"),
            "courier_id": clean("courier_id"),
            "delivery_event": F.lower(clean("event")),
            "happened_at": as_typed("event_at", "timestamp"),
        }
    )


def per_delivery(events: DataFrame) -> DataFrame:
    """What the events of a delivery say together."""

    def when(event: str) -> Column:
        return F.when(F.col("delivery_event") == event, F.col("happened_at"))

    picked_up_at, delivered_at = F.min(when("picked_up")), F.max(when("delivered"))
    latest = F.max(F.struct("happened_at", "delivery_event"))["delivery_event"]
    return events.groupBy("delivery_id").agg(
        # All events of a delivery name the same order and courier; should one not, the alphabet decides.
        F.min("order_id").alias("order_id"),
        F.min("courier_id").alias("courier_id"),
        picked_up_at.alias("picked_up_at"),
        delivered_at.alias("delivered_at"),
        F.count(when("attempt_failed")).alias("failed_attempt_count"),
        ((F.unix_seconds(delivered_at) - F.unix_seconds(picked_up_at)) / 60).alias("duration_min"),
        F.when(delivered_at.isNotNull(), F.lit("delivered")).otherwise(latest).alias("delivery_status"),
    )


def keep_positions(gps_points: DataFrame) -> DataFrame:
    """One position per delivery and instant."""
    return (
        gps_points.withColumns(
            {"at": as_typed("recorded_at", "timestamp")} | {c: as_typed(c, "double") for c in ("lat", "lon")}
        )
        .transform(keep_newest, "delivery_id", "at")
        .select("delivery_id", "at", "lat", "lon")
    )


def measure_ways(positions: DataFrame) -> DataFrame:
    """The length of each delivery's way."""
    in_time = Window.partitionBy("delivery_id").orderBy("at")
    leg = measure_leg(F.lag("lat").over(in_time), F.lag("lon").over(in_time), F.col("lat"), F.col("lon"))
    # Legs are summed as decimals: a sum of doubles would depend on how Spark splits it.
    return (
        positions.withColumn("_leg", leg.cast("decimal(18,2)"))
        .groupBy("delivery_id")
        .agg(F.coalesce(F.sum("_leg"), F.lit(0)).cast("double").alias("distance_m"))
    )


def measure_leg(from_lat: Column, from_lon: Column, to_lat: Column, to_lon: Column) -> Column:
    """Metres between two positions, by haversine."""

    def half_chord(a: Column, b: Column) -> Column:
        return F.pow(F.sin(F.radians(b - a) / 2), 2)

    square = half_chord(from_lat, to_lat) + F.cos(F.radians(from_lat)) * F.cos(F.radians(to_lat)) * half_chord(
        from_lon, to_lon
    )
    return 2 * EARTH_RADIUS_M * F.asin(F.sqrt(square))
