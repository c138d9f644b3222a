"""The app, live: the simulated retailer's app files as messages in topics of a real broker, by business day.

    python -m jobs.demo.live.events FILES --until 2025-04-06

`FILES` is a folder of files as for a drop folder; each line becomes a message of the topic that has its table's name.
An account's messages share a partition, and so keep their order. What is in a topic already is not sent again: whatever
was sent is, partition by partition, the beginning of what is to be sent, so that a killed feed goes on where it was.
"""

import argparse
import gzip
import json
import re
import time
import zlib
from collections.abc import Iterator
from datetime import date
from pathlib import Path

from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

from jobs.kit import lineage, services
from jobs.kit.contracts import Contract, load
from jobs.kit.settings import settings
from jobs.landing import stream

SOURCE = "app"
PARTITIONS = 3
_ACCOUNT = re.compile(rb'"openid": ?"([^"]*)"')


def start() -> str:
    """Have the broker run, with a topic for each table of the app; returns the source's address."""
    services.up(settings(), ["kafka"], say=lambda line: None)
    address = services.kafka_url(settings())
    create_topics(address)
    return address


def create_topics(address: str) -> None:
    """Create the topics that are not there yet."""
    admin = AdminClient({**stream.client(address)})
    wanted = {stream.topic_of(load(table), address) for table in lineage.sources()[SOURCE]}
    missing = [NewTopic(t, PARTITIONS, 1) for t in wanted - set(admin.list_topics(timeout=30).topics)]
    for made in admin.create_topics(missing).values() if missing else ():
        made.result()
    while not wanted <= set(admin.list_topics(timeout=30).topics):  # the controller knows before the broker does
        time.sleep(0.1)


def feed(files: Path, address: str, until: date, tables: list[str] | None = None) -> dict[str, int]:
    """Send what the app's files dated up to a day have and the topics have not; messages sent, by table."""
    sender = Producer(stream.client(address) | {"enable.idempotence": True, "linger.ms": 20})
    sent = {}
    for table in tables or lineage.sources()[SOURCE]:
        contract = load(table)
        topic, there, count = stream.topic_of(contract, address), stream.ends(contract, address), 0
        for line in _lines(files, contract, until):
            partition = _partition(line)
            if there[partition]:
                there[partition] -= 1
                continue
            while True:
                try:
                    sender.produce(topic, line, partition=partition)
                    break
                except BufferError:  # the queue is full: let some go
                    sender.poll(0.1)
            count += 1
        sender.flush()
        sent[table] = count
    return sent


def _lines(files: Path, contract: Contract, until: date) -> Iterator[bytes]:
    """The lines of a table's files, the oldest first."""
    assert contract.drop
    dated = []
    for path in (files / contract.drop.folder).iterdir():
        if found := re.fullmatch(contract.drop.name, path.name):
            dated.append((date.fromisoformat(found["file_date"]), path))
    for day, path in sorted(dated):
        if day <= until:
            with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as lines:
                yield from (stripped for line in lines if (stripped := line.rstrip(b"\r\n")))


def _partition(line: bytes) -> int:
    """Where a message goes: with the others of its account."""
    found = _ACCOUNT.search(line)
    return zlib.crc32(found[1] if found else line) % PARTITIONS


def main() -> None:
    """Run as a command."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("files", type=Path)
    parser.add_argument("--until", type=date.fromisoformat, required=True)
    said = parser.parse_args()
    print(json.dumps(feed(said.files, start(), said.until)))  # noqa: T201


if __name__ == "__main__":
    main()
