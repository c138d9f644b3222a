"""What a proof of erasure looks through: a value is found however the file keeps it."""

import gzip
import zipfile

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from jobs.kit import kept

VALUE = "王小明 13912345678"


def plain(path):
    path.write_bytes(f"name,{VALUE}".encode("gb18030"))


def packed(path):
    path.write_bytes(gzip.compress(VALUE.encode()))


def archive(path):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("inside.csv", VALUE * 50)


def columns(path):
    pq.write_table(pa.table({"who": [VALUE] * 50, "list": [[{"who": VALUE}]] * 50}), path)


def database(path):
    with duckdb.connect(str(path)) as db:
        db.execute("CREATE SCHEMA gold")
        db.execute("CREATE TABLE gold.customers AS SELECT ? || '' AS who FROM range(5000)", [VALUE])


@pytest.mark.parametrize("write", [plain, packed, archive, columns, database])
def test_a_value_is_found_however_it_is_kept(tmp_path, write):
    path = tmp_path / "file"
    write(path)
    assert any(VALUE in text for text in kept.texts(path, ["utf-8", "gb18030"]))
    assert not any(VALUE + "0" in text for text in kept.texts(path, ["utf-8", "gb18030"]))


def test_the_name_of_a_file_counts_too(tmp_path):
    (tmp_path / f"{VALUE}.csv").write_text("")
    assert any(VALUE in text for text in kept.texts(tmp_path / f"{VALUE}.csv", ["utf-8"]))
