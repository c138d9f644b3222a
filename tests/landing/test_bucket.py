"""Files from an object store, served by moto over HTTP: its protocol is S3's, its disk is not."""

import time
from datetime import date
from zoneinfo import ZoneInfo

import boto3
import pytest
from moto.server import ThreadedMotoServer

from jobs.kit.contracts import load
from jobs.landing import files, pulls

ZONE = ZoneInfo("Asia/Shanghai")
TABLE = "bronze.campaign_list"


@pytest.fixture(scope="module")
def endpoint():
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    yield "{}:{}".format(*server.get_host_and_port())
    server.stop()


@pytest.fixture
def bucket(endpoint, request):
    name = "shop-" + request.node.name.replace("_", "-")[-40:].strip("-")
    client = boto3.client(
        "s3",
        endpoint_url=f"http://{endpoint}",
        aws_access_key_id="key",
        aws_secret_access_key="s3cret",
        region_name="us-east-1",
    )
    client.create_bucket(Bucket=name)
    return client, name


def address(endpoint, name, secret="s3cret"):
    return f"s3://key:{secret}@{name}/out?endpoint_override={endpoint}&scheme=http&region=us-east-1"


@pytest.fixture
def run(tmp_path, endpoint, bucket):
    contract = load(TABLE)

    def once(day="2025-06-30"):
        copied = pulls.pull(
            contract, address(endpoint, bucket[1]), tmp_path / "drop", tmp_path / "landing",
            as_of=date.fromisoformat(day), zone=ZONE,
        )  # fmt: skip
        files.land(contract, tmp_path / "drop", tmp_path / "landing", as_of=date.fromisoformat(day))
        return sorted(p.name for p in copied), files.landed(contract, tmp_path / "landing")

    return once


def put(bucket, name, body=b"a,b\n1,2\n"):
    client, bucket_name = bucket
    client.put_object(Bucket=bucket_name, Key=f"out/{load(TABLE).drop.folder}/{name}", Body=body)


def test_what_is_new_is_copied_once(run, bucket):
    put(bucket, "campaign_list_2025-06-01.csv")
    put(bucket, "campaign_list_2025-06-02.csv", b"a,b\n3,4\n" * 300_000)
    copied, landed = run()
    assert copied == ["campaign_list_2025-06-01.csv", "campaign_list_2025-06-02.csv"]
    assert [f.bytes for f in landed] == [8, 2_400_000]
    time.sleep(2.1)  # a store tells time by the second
    run()
    assert run()[0] == []


def test_what_is_dated_later_waits(run, bucket):
    put(bucket, "campaign_list_2025-06-01.csv")
    put(bucket, "campaign_list_2025-07-01.csv")
    assert run("2025-06-30")[0] == ["campaign_list_2025-06-01.csv"]
    assert "campaign_list_2025-07-01.csv" in run("2025-07-01")[0]


def test_another_version_of_an_object_is_another_delivery(run, bucket):
    put(bucket, "campaign_list_2025-06-01.csv")
    run()
    put(bucket, "campaign_list_2025-06-01.csv", b"a,b\n9,9\n")
    copied, landed = run()
    assert copied == ["campaign_list_2025-06-01.csv"] and len(landed) == 2


def test_a_name_that_nobody_expects_is_refused_by_name(run, bucket):
    put(bucket, "notes.txt")
    put(bucket, "campaign_list_2025-02-30.csv")
    assert {(f.name, f.rule) for f in run()[1]} == {
        ("notes.txt", "file:unexpected_name"),
        ("campaign_list_2025-02-30.csv", "file:unexpected_name"),
    }


def test_a_bucket_without_such_a_folder_has_nothing(run):
    assert run() == ([], [])


def test_a_store_that_does_not_answer_is_one_sentence_without_the_key(tmp_path, bucket):
    with pytest.raises(pulls.PullError, match="marketing: the bucket nowhere could not be read") as error:
        pulls.pull(
            load(TABLE), address("127.0.0.1:9", "nowhere"), tmp_path, tmp_path, as_of=date(2025, 6, 1), zone=ZONE
        )
    assert "s3cret" not in str(error.value)


def test_a_bucket_that_is_not_there_is_told(tmp_path, endpoint):
    with pytest.raises(pulls.PullError, match="no such bucket"):
        pulls.pull(
            load(TABLE), address(endpoint, "no-such-bucket"), tmp_path, tmp_path, as_of=date(2025, 6, 1), zone=ZONE
        )
