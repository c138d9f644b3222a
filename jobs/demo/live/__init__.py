"""The simulated retailer's systems as they are really asked: real servers where they can be had, fed with its files."""

from collections.abc import Callable
from datetime import date
from pathlib import Path


def start(files: Path, home: Path, first: date, last: date, say: Callable[[str], None] = print) -> dict[str, str]:
    """Start what does not run yet, holding what the files say of these days; the address of each source."""
    from jobs.demo.live import database, events, platform, store

    home = _home(home)
    home.mkdir(parents=True, exist_ok=True)
    found: dict[str, str] = {}
    parts = {
        "The database (PostgreSQL)": lambda: database.start(files, home),
        "The platforms (HTTP)": lambda: platform.start(files, home, since=first),
        "The object store (S3)": lambda: store.start(files, home),
    }
    for title, begin in parts.items():
        addresses = begin()
        say(f"{title} is up: {', '.join(addresses)}")
        found |= addresses
    database.know_until(home, last)
    platform.know_until(home, last)
    found[events.SOURCE] = events.start()
    sent = sum(events.feed(files, found[events.SOURCE], last).values())
    say(f"The broker (Kafka) is up: {events.SOURCE}, {sent:,} messages sent")
    return found


def stop(home: Path) -> None:
    """Stop what `start` started; the broker is one of the services, and stops with them."""
    if _home(home).exists():
        from jobs.demo.live import database, platform, store

        for part in (platform, store, database):
            part.stop(_home(home))


def _home(home: Path) -> Path:
    return home / "live"
