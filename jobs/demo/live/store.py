"""An object store into which the retailer's systems put their files: finance, marketing, the CRM, logistics.

It is moto's server: S3's protocol over HTTP, kept in memory, with no notion of who may do what. What a store of one's
own adds (rights, versions, disks) is not tried here.
"""

import json
import sys
from collections.abc import Iterable
from pathlib import Path

import boto3

from jobs.kit import contracts, process
from jobs.kit.process import LOOPBACK, Handle

SOURCES = ("finance", "marketing", "crm", "logistics")
BUCKET = "retailer"
KEY = "shoplake"


def start(files: Path, home: Path) -> dict[str, str]:
    """Start the store and put into it what it does not have; the address of each source, with its secret."""
    state, log = home / "store.json", home / "logs" / "store.log"
    if not _running(home):
        port = process.free_port(19000)
        words = [sys.executable, "-m", "moto.server", "-H", LOOPBACK, "-p", str(port)]
        handle = process.spawn(words, log=log, env=process.environment(), cwd=home)
        process.write_json(state, {"pid": handle.pid, "created": handle.created, "port": port})
        process.wait_until(lambda: process.listens(port), handle, "The object store", log, 60)
    where = f"{LOOPBACK}:{json.loads(state.read_text())['port']}"
    secret = process.secret(home / "secrets" / "store")
    _put(files, where, secret)
    query = f"endpoint_override={where}&scheme=http&region=us-east-1"
    return {source: f"s3://{KEY}:{secret}@{BUCKET}/{source}-out?{query}" for source in SOURCES}


def stop(home: Path) -> None:
    """Stop it; what it held is gone."""
    if handle := _running(home):
        process.stop(handle)
    (home / "store.json").unlink(missing_ok=True)


def _running(home: Path) -> Handle | None:
    state = home / "store.json"
    if not state.exists():
        return None
    said = json.loads(state.read_text())
    handle = Handle(said["pid"], said["created"])
    return handle if handle.process() else None


def _put(files: Path, where: str, secret: str) -> None:
    client = boto3.client(
        "s3",
        endpoint_url=f"http://{where}",
        aws_access_key_id=KEY,
        aws_secret_access_key=secret,
        region_name="us-east-1",
    )
    client.create_bucket(Bucket=BUCKET)
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET)
    there = {o["Key"]: o["Size"] for page in pages for o in page.get("Contents", [])}
    for source, path in _files(files):
        key = f"{source}-out/{path.relative_to(files)}"
        if there.get(key) != path.stat().st_size:
            client.upload_file(str(path), BUCKET, key)


def _files(files: Path) -> Iterable[tuple[str, Path]]:
    for contract in contracts.all_contracts():
        if contract.source in SOURCES and contract.drop:
            for path in sorted((files / contract.drop.folder).glob("[!.]*")):
                yield contract.source, path
