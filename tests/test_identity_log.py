"""The log of merges and splits, told from the change feed that real runs leave."""

from datetime import date

from jobs.identity_log import moves
from jobs.kit import lake as storage
from jobs.kit.contracts import load
from tests.frames import make

IDENTITIES = load("silver.identities")


def test_a_merge_a_split_and_a_late_founder_are_told_account_by_account(spark, lake):
    runs = [
        {"a": "C1", "b": "C1", "c": "C2", "d": "C2"},
        {"a": "C1", "b": "C1", "c": "C1", "d": "C1"},  # C2 turns out to be C1
        {"a": "C1", "b": "C1", "c": "C1", "d": "C4"},  # d is somebody else after all
        {"a": "C0", "b": "C0", "c": "C0", "d": "C4", "z": "C0"},  # an elder account of C1 comes late
        {"a": "C0", "b": "C0", "c": "C0", "d": "C4", "z": "C0", "e": "C0"},  # who joins changes nothing
    ]
    for number, customers in enumerate(runs):
        rows = [
            {"account_system": "erp", "account_id": a, "customer_id": c, "first_seen_date": date(2024, 1, 1)}
            for a, c in customers.items()
        ]
        frame = make(spark, "identities", rows)
        touched = frame.select(*IDENTITIES.keys) if number else None
        said = {"run_id": f"r{number}", "batch": str(number)}
        storage.publish(spark, frame, IDENTITIES, said, rows=len(rows), touched=touched)

    found = moves(storage.feed("silver.identities")).to_pylist()
    assert [(m["run_id"], m["change"], m["account_id"], m["old_customer_id"], m["new_customer_id"]) for m in found] == [
        ("r1", "merge", "c", "C2", "C1"),
        ("r1", "merge", "d", "C2", "C1"),
        ("r2", "split", "d", "C1", "C4"),
        ("r3", "new founder", "a", "C1", "C0"),
        ("r3", "new founder", "b", "C1", "C0"),
        ("r3", "new founder", "c", "C1", "C0"),
    ]


def test_a_whole_rebuild_with_the_same_content_moves_nobody(spark, lake):
    rows = [{"account_system": "erp", "account_id": "a", "customer_id": "C1", "first_seen_date": date(2024, 1, 1)}]
    for number in range(2):  # as after a change of the code: all is written anew
        said = {"run_id": f"r{number}", "batch": str(number)}
        storage.publish(spark, make(spark, "identities", rows), IDENTITIES, said, rows=1)
    assert moves(storage.feed("silver.identities")).num_rows == 0
