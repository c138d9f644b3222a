"""Streaming: messages of a Kafka topic are landed as received, each once, and loaded into bronze from there.

Where a source's address is `kafka://host:port` (its tables are then topics, named as the contract's `pull.relation`
says, else like the table), a run of a bronze table does two things, each exactly once by itself:

1. Structured Streaming drains the topic (`availableNow`) into the table's **landing table**, a Delta table of messages
   as received. Delta's own sink and the checkpoint agree on what was written, whenever either is killed.
2. What is landed and not accounted for in `ops.files` is a **batch**: a range of offsets of one partition. It goes
   through door and gate into bronze like a file, and the stamp of bronze's commit names it.

So landing keeps the bytes here too: a changed contract reads them again, however long the broker keeps them.

The address may say how to log in (`kafka://user:password@…`), what the topics' names begin with (`kafka://host/v2.`),
and any setting of Kafka's clients (`?security.protocol=SASL_SSL`). docs/decisions/0703-kafka.md
"""

import logging
import re
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import pyarrow as pa
from pyspark.errors import PySparkException, StreamingQueryException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from jobs.kit import arrivals, door_json, lake
from jobs.kit.contracts import Contract
from jobs.kit.settings import settings
from jobs.landing.files import LandedFile
from jobs.landing.pulls import PullError

SCHEME = "kafka:"
MESSAGES_PER_BATCH = 500_000  # of a micro-batch: what a killed drain may have to do again
ERASED = -1  # the `bytes` of a message that an erasure emptied: its offset stays, so that nothing is drained anew
_PATIENCE_S = 30  # a topic that was just made has no leader yet, on a busy machine for long
_NAME = re.compile(r"kafka/(?P<topic>[^/]+)/(?P<partition>\d+)/(?P<first>\d+)-(?P<last>\d+)")


@dataclass(frozen=True)
class Batch(LandedFile):
    """Landed messages of one partition that are loaded together: offsets `first` to `last`, both inclusive."""

    topic: str = ""
    partition: int = 0
    first: int = 0
    last: int = 0


def is_streamed(address: str) -> bool:
    """Whether an address is Kafka's."""
    return address.startswith(SCHEME)


def is_batch(name: str) -> bool:
    """Whether a name in `ops.files` is that of a batch."""
    return _NAME.fullmatch(name) is not None


def landing_table(contract: Contract) -> str:
    """The Delta table of a bronze table's messages, beside its landed files."""
    assert contract.drop
    return f"landing.{contract.drop.folder}/messages"


# ---- the topic, as it is ----


def topic_of(contract: Contract, address: str) -> str:
    """The topic that a table is made of."""
    return urlsplit(address).path.lstrip("/") + (contract.pull.relation if contract.pull else contract.table)


def client(address: str) -> dict[str, str]:
    """What a Kafka client is told to reach this address: librdkafka and Java's have the same names for it."""
    parts = urlsplit(address)
    said = {"bootstrap.servers": parts.netloc.rpartition("@")[2]}
    if parts.username:
        said |= {"security.protocol": "SASL_PLAINTEXT", "sasl.mechanism": "PLAIN"}
        said |= {"sasl.username": unquote(parts.username), "sasl.password": unquote(parts.password or "")}
    return said | dict(parse_qsl(parts.query))


def ends(contract: Contract, address: str) -> dict[int, int]:
    """The offset that the next message of each partition will get. PullError if nobody answers or there is no topic."""
    from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

    topic, where = topic_of(contract, address), urlsplit(address).netloc.rpartition("@")[2]
    quiet = {"group.id": "shoplake", "enable.auto.commit": False, "log_level": 0, "logger": _silent()}
    asked, deadline = Consumer(client(address) | quiet), time.monotonic() + _PATIENCE_S
    in_election = (KafkaError.NOT_LEADER_FOR_PARTITION, KafkaError.LEADER_NOT_AVAILABLE)
    try:
        while True:
            try:
                known = asked.list_topics(topic, timeout=_PATIENCE_S).topics[topic]
                if known.error is None:
                    each = (TopicPartition(topic, number) for number in known.partitions)
                    return {p.partition: asked.get_watermark_offsets(p, timeout=_PATIENCE_S)[1] for p in each}
                if known.error.code() not in in_election or time.monotonic() > deadline:
                    raise PullError(f"{contract.source}: {where} has no topic {topic}: its sender is to create it")
            except KafkaException as error:
                if error.args[0].code() not in in_election or time.monotonic() > deadline:
                    said = f"Kafka at {where} does not answer ({error.args[0].str()}): is it running?"
                    raise PullError(f"{contract.source}: {said}") from error
            time.sleep(0.2)  # a broker, or a topic, that is just coming up
    finally:
        asked.close()


def _silent() -> logging.Logger:
    logger = logging.getLogger("jobs.landing.stream.librdkafka")
    logger.addHandler(logging.NullHandler())
    logger.propagate = False  # what matters comes as an error as well
    return logger


# ---- Kafka to landing ----


def drain(contract: Contract, address: str, *, as_of: date) -> None:
    """Land what the topic has by now that is not landed yet. Costs milliseconds, and no Spark, if that is nothing.

    `as_of` becomes the business day of these messages. PullError if the topic cannot be read from where we were.
    """
    topic = topic_of(contract, address)
    landed, there = _landed_until(contract, topic), ends(contract, address)
    for partition, until in landed.items():
        if there.get(partition, 0) < until:
            raise PullError(
                f"{contract.source}: partition {partition} of {topic} ends at {there.get(partition, 0)}, and {until} "
                f"messages of it are landed: the topic was made anew. Give the new one another name "
                f"(kafka://…/v2. reads from v2.{topic}), and both count"
            )
    if all(landed.get(partition, 0) == until for partition, until in there.items()):
        return
    from jobs.kit.session import session

    path = settings().path(landing_table(contract))
    spark = session()
    try:
        query = (
            _messages(spark, topic, address)
            .withColumn("as_of", F.lit(as_of))
            .writeStream.format("delta")
            .option("checkpointLocation", f"{path}/_checkpoints/{topic}")
            .trigger(availableNow=True)
            .start(path)
        )
        query.awaitTermination()
    except StreamingQueryException as error:
        raise PullError(f"{contract.source}: {topic} cannot be read on: {_reason(error)}") from error
    except PySparkException as error:
        if "kafka" not in str(error):
            raise
        raise PullError(
            f"{contract.source}: the engine cannot read Kafka: `make install LIVE=1` fetches what it needs, then "
            f"`shoplake down` and again"
        ) from error


def _messages(spark: SparkSession, topic: str, address: str) -> DataFrame:
    said = client(address)
    if user := said.pop("sasl.username", None):
        module = "plain.Plain" if said["sasl.mechanism"] == "PLAIN" else "scram.Scram"
        login = f'username="{user}" password="{said.pop("sasl.password")}"'
        said["sasl.jaas.config"] = f"org.apache.kafka.common.security.{module}LoginModule required {login};"
    return (
        spark.readStream.format("kafka")
        .options(**{f"kafka.{name}": value for name, value in said.items()})
        .option("kafka.isolation.level", "read_committed")
        .option("subscribe", topic)
        .option("startingOffsets", "earliest")
        .option("maxOffsetsPerTrigger", MESSAGES_PER_BATCH)
        .load()
        .selectExpr("topic", "partition", "offset", "timestamp AS sent_at", "value", "octet_length(value) AS bytes")
    )


def _reason(error: Exception) -> str:
    said = str(error)
    if "data may have been lost" in said or "KAFKA_DATA_LOSS" in said:
        return "the broker deleted messages before they were read. Bring them as files, and read on by another prefix"
    return said.splitlines()[0][:300]


# ---- landing to bronze ----


def landed(contract: Contract, ledger: Mapping[str, Mapping[str, Any]]) -> list[Batch]:
    """Every batch of a table: those that its ledger knows, and of each partition what has been landed since.

    A batch that no run could publish is cut anew: with what came meanwhile it may pass.
    """
    if lake.version(landing_table(contract)) is None:
        return []
    known = [_known(contract, row) for row in ledger.values() if is_batch(row["name"])]
    return known + [_made(contract, **row) for row in _since(contract, _until(known))]


def rows(spark: SparkSession, batches: Iterable[Batch], contract: Contract) -> DataFrame:
    """Every message of these batches as `arrivals.rows` has the records of files: one row each, accepted or refused."""
    shape = arrivals.layout(contract)
    of = pa.Table.from_pylist(
        [
            {"topic": b.topic, "partition": b.partition, "first": b.first, "last": b.last, "_file_id": b.file_id}
            for b in batches
        ]
    )
    chosen = F.broadcast(spark.createDataFrame(of).withColumn("partition", F.col("partition").cast("int")))
    found = lake.read(spark, landing_table(contract)).join(chosen, on=["topic", "partition"])
    messages = found.where(f"offset BETWEEN first AND last AND NOT bytes <=> {ERASED}").select(
        "value",
        F.col("offset").alias("_row_number"),
        "_file_id",
        F.concat_ws("/", F.lit("kafka"), "topic", "partition").alias("_source_file"),
        F.col("as_of").alias("_file_date"),
        F.col("sent_at").alias("_arrived_at"),
    )
    about = ["_row_number", "_file_id", "_source_file", "_file_date", "_arrived_at"]

    def read(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        reader = door_json.message_reader(shape)
        for batch in batches:
            if len(batch):
                read = reader(batch.column("value").to_pylist()).drop_columns(["_row_number"])
                columns = [*read.columns, *(batch.column(name) for name in about)]
                yield pa.RecordBatch.from_arrays(columns, [*read.schema.names, *about])

    text = ", ".join(f"`{name}` string" for name in shape.columns)
    types = (
        f"{text}, _extra string, _raw string, _rule string, "
        "_row_number bigint, _file_id string, _source_file string, _file_date date, _arrived_at timestamp"
    )
    return arrivals.judge(arrivals.named(messages.mapInArrow(read, types), contract), contract)


def values(contract: Contract, batch: Batch, offsets: Iterable[int]) -> dict[int, bytes]:
    """Messages as received, by offset; those that are not there, or empty, are left out."""
    asked = (
        f'SELECT "offset", value FROM t WHERE topic = \'{batch.topic}\' AND "partition" = {batch.partition} '
        f'AND "offset" IN ({", ".join(map(str, sorted(offsets)))})'
    )
    found = lake.read_small(landing_table(contract), asked).to_pylist()
    return {row["offset"]: bytes(row["value"]) for row in found if row["value"] is not None}


def exchange(contract: Contract, batch: Batch, values: Mapping[int, bytes | None]) -> None:
    """Put other content in the place of messages, by offset; None: nothing takes its place. What an erasure takes."""
    anew = pa.table(
        {
            "topic": [batch.topic] * len(values),
            "partition": pa.array([batch.partition] * len(values), pa.int32()),
            "offset": pa.array(list(values), pa.int64()),
            "value": pa.array(list(values.values()), pa.binary()),
            "bytes": pa.array([ERASED if v is None else len(v) for v in values.values()], pa.int32()),
        }
    )
    lake.update(landing_table(contract), anew, keys=("topic", "partition", "offset"))


def _known(contract: Contract, row: Mapping[str, Any]) -> Batch:
    said = _NAME.fullmatch(row["name"])
    assert said
    offsets = {name: int(said[name]) for name in ("partition", "first", "last")}
    arrived = {name: row[name] for name in ("bytes", "file_date", "arrived_at")}
    return _made(contract, topic=said["topic"], **offsets, **arrived)


def _made(contract: Contract, *, topic: str, partition: int, first: int, last: int, **arrived: Any) -> Batch:
    source = f"kafka/{topic}/{partition}"
    return Batch(
        contract.table,
        f"{source}/{first}-{last}",
        f"{topic}-{partition}-{first:012}",
        "landed",
        source=source,
        topic=topic,
        partition=partition,
        first=first,
        last=last,
        **arrived,
    )


def _until(batches: Iterable[Batch]) -> dict[tuple[str, int], int]:
    """The first offset of each partition that is in none of these."""
    found: dict[tuple[str, int], int] = {}
    for b in batches:
        found[b.topic, b.partition] = max(found.get((b.topic, b.partition), 0), b.last + 1)
    return found


def _since(contract: Contract, until: Mapping[tuple[str, int], int]) -> list[dict[str, Any]]:
    """Of each partition the range of what is landed from this offset on; none where there is nothing."""
    known = [f'topic = \'{t}\' AND "partition" = {p} AND "offset" < {o}' for (t, p), o in until.items()]
    rows = lake.read_small(
        landing_table(contract),
        'SELECT topic, "partition", min("offset") AS first, max("offset") AS last, '
        "sum(bytes) AS bytes, max(as_of) AS file_date, max(sent_at) AS arrived_at "
        f'FROM t WHERE NOT ({" OR ".join(known) or "false"}) GROUP BY topic, "partition"',
    ).to_pylist()
    return [row | {"bytes": int(row["bytes"] or 0)} for row in rows]


def _landed_until(contract: Contract, topic: str) -> dict[int, int]:
    """The offset that follows the last landed one, by partition."""
    if lake.version(landing_table(contract)) is None:
        return {}
    asked = f'SELECT "partition", max("offset") + 1 AS next FROM t WHERE topic = \'{topic}\' GROUP BY "partition"'
    return {row["partition"]: row["next"] for row in lake.read_small(landing_table(contract), asked).to_pylist()}
