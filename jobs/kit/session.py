"""The Spark session: attaches to the engine, or starts it first. The only place that makes one."""

from pyspark.sql import SparkSession
from pyspark.sql.connect.client.retries import DefaultPolicy

from jobs.kit.settings import settings


def session() -> SparkSession:
    """A session of this process on the engine of the settings (Spark Connect); starts the embedded one if none runs."""
    url = settings().engine
    if not url:
        from jobs.kit import engine

        url = engine.attach(settings())
    spark = SparkSession.builder.remote(url).getOrCreate()
    # Spark's own policy tries for ten minutes to reach an engine that is gone, and again at the interpreter's exit.
    spark.client.set_retry_policies([DefaultPolicy(max_retries=6, max_backoff=2000)])
    for name, value in CONF.items():
        spark.conf.set(name, value)
    return spark


# Held per session, so that a shared engine set up otherwise gives the same answers.
CONF = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.ansi.enabled": "true",
    "spark.databricks.delta.commit.idempotencyCheck.enabled": "true",
}
