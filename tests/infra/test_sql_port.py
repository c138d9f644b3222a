"""The SQL port, asked by a real client (beeline, over JDBC): the user `bi` reads gold and scoring, and nothing else."""

import os
import re
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import date

import pytest

from jobs.kit import engine
from jobs.kit import lake as storage
from jobs.kit.contracts import load
from jobs.kit.settings import CHECKOUT, settings
from tests.frames import make

TABLE = "scoring.churn_scores"


@pytest.fixture(scope="module")
def ask(spark, tmp_path_factory):
    """`ask(user, password, statements)`: what beeline prints, error or not, statement by statement."""
    if settings().engine:
        pytest.skip("the engine is another's: who may use its SQL port is not known here")
    info = engine.status(settings())
    rows = [{"customer_id": "C1", "as_of_date": date(2025, 6, 1)}]
    said = {"batch": "sql-port", "run_id": "r", "as_ofs": {}}
    storage.publish(spark, make(spark, "churn_scores", rows), load(TABLE), said, rows=1)
    secret = settings().path("bronze.secret")
    spark.createDataFrame([("13700009999",)], "phone string").write.format("delta").mode("overwrite").save(secret)
    java = settings().java_home or str(CHECKOUT / ".shoplake" / "java")
    jars = f"{engine._spark_home() / 'jars'}/*"

    def ask(user, password, *statements):
        script = tmp_path_factory.mktemp("beeline") / "ask.sql"
        script.write_text("".join(f"{s}\n" if s.startswith("!") else f"{s};\n" for s in statements))
        command = [f"{java}/bin/java", "-cp", jars, "org.apache.hive.beeline.BeeLine", "-u", info.jdbc, "-n", user]
        command += ["-p", password, "--force=true", "--silent=true", "--outputformat=csv2", "-f", str(script)]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=240)
        return done.stdout

    ask.info, ask.secret = info, secret
    yield ask
    for name in (TABLE, "bronze.secret"):
        storage_path = settings().path(name)
        subprocess.run(["rm", "-rf", storage_path], check=True)
    spark.sql(f"DROP TABLE IF EXISTS {TABLE}")


@pytest.mark.parametrize("page", ["bi.md", "operations.md"])
def test_the_docs_command_of_beeline_runs_as_written(ask, spark, page):
    """In a shell that knows nothing of ours; the test's engine has another port and another home than the docs'."""
    (block,) = re.findall(r"^```sh\n((?:export .*\n)?beeline .*\n)```", (CHECKOUT / "docs" / page).read_text(), re.M)
    there = {"127.0.0.1:10000": f"127.0.0.1:{ask.info.sql_port}", " .shoplake/engine/": f" {settings().home}/engine/"}
    assert all(block.count(words) == 1 for words in there), block
    for words, here in there.items():
        block = block.replace(words, here)
    rows = [{"order_date": date(2025, 6, 1), "channel": "app", "category": "Tea of the docs"}]
    said = {"batch": "docs", "run_id": "docs", "as_ofs": {}}
    storage.publish(spark, make(spark, "sales_daily", rows), load("gold.sales_daily"), said, rows=1)
    bare = {"HOME": os.environ["HOME"], "PATH": "/usr/bin:/bin"}
    try:
        done = subprocess.run(
            ["bash", "-ec", block], cwd=CHECKOUT, env=bare, capture_output=True, text=True, timeout=240
        )
    finally:
        subprocess.run(["rm", "-rf", settings().path("gold.sales_daily")], check=True)
        spark.sql("DROP TABLE IF EXISTS gold.sales_daily")
    assert done.returncode == 0 and "Tea of the docs" in done.stdout, done.stderr


def test_bi_reads_tables_by_their_names_with_their_descriptions(ask):
    told = ask("bi", ask.info.bi_password, "SHOW TABLES IN scoring", "SHOW VIEWS IN scoring",
               f"SELECT customer_id FROM {TABLE}",
               f"DESCRIBE {TABLE}", f"SELECT count(*) AS n FROM (SELECT 1 FROM {TABLE}) t")  # fmt: skip
    assert "churn_scores" in told and "C1" in told, told
    meant = {c.name: c.description for c in load(TABLE).columns}
    assert meant["customer_id"] in told
    assert "Error" not in told, told


def test_a_client_that_lists_columns_finds_them_with_types_and_descriptions(ask):
    """What Tableau or DBeaver ask for: JDBC's getTables and getColumns, not SQL."""
    told = ask("bi", ask.info.bi_password, "!tables", "!columns churn_scores")
    assert re.search(r"scoring'?,'?churn_scores'?,'?TABLE", told), told
    listed = [line.split(",") for line in told.splitlines() if ",churn_scores," in line and "TABLE" not in line]
    assert {line[3]: line[5].lower() for line in listed} == {c.name: c.type for c in load(TABLE).columns}, told
    assert load(TABLE).column("customer_id").description in told


def test_a_reader_sees_a_publish_whole_or_not_at_all(ask, spark):
    """Two versions take turns while a reader asks by the table's name: each answer is the one or the other."""
    contract = load(TABLE)
    few, many = ([{"customer_id": f"C{n}", "as_of_date": date(2025, 6, 1), "decile": d} for n in range(rows)]
                 for rows, d in ((10, 1), (500, 2)))  # fmt: skip
    stop = threading.Event()

    def publish(n):
        rows, said = (few, many)[n % 2], {"batch": f"turn-{n}", "run_id": f"turn-{n}", "as_ofs": {}}
        storage.publish(spark, make(spark, "churn_scores", rows), contract, said, rows=len(rows))

    def take_turns():
        n = 0
        while not stop.is_set():
            publish(n := n + 1)

    publish(0)
    with ThreadPoolExecutor(1) as publisher:
        publishing = publisher.submit(take_turns)
        try:
            question = f"SELECT count(*), sum(decile), count(DISTINCT customer_id) FROM {TABLE}"
            told = ask("bi", ask.info.bi_password, *[question] * 40)
        finally:
            stop.set()
        publishing.result()
    answers = [line for line in told.splitlines() if line.strip() and not line.startswith("count(1)")]
    assert set(answers) == {"10,10,10", "500,1000,500"} and len(answers) == 40, {*answers}


def test_an_engine_that_lost_its_names_gives_them_anew_with_the_columns_of_now(ask, spark):
    rows = make(spark, "churn_scores", [{"customer_id": "C1", "as_of_date": date(2025, 6, 1)}])
    path = settings().path(TABLE)
    rows.selectExpr("*", "1 AS further").write.format("delta").mode("append").option("mergeSchema", "true").save(path)
    spark.sql(f"DROP TABLE {TABLE}").collect()
    storage.serve_all(spark)  # as an engine does when it has started
    assert "further" in ask("bi", ask.info.bi_password, "!columns churn_scores")


REFUSED = [
    "SELECT * FROM delta.`{secret}`",
    "SELECT (SELECT max(phone) FROM delta.`{secret}`) AS inner_query",
    "WITH hidden AS (SELECT * FROM delta.`{secret}`) SELECT count(*) FROM hidden",
    "SELECT * FROM parquet.`{secret}`",
    "SELECT * FROM text.`/etc/passwd`",
    "SELECT reflect('java.lang.System', 'getProperty', 'user.home') AS home",
    "INSERT INTO {table} SELECT * FROM {table}",
    "DELETE FROM {table}",
    "DROP TABLE {table}",
    "CREATE TABLE gold.mine AS SELECT 1 AS one",
    "CREATE TEMPORARY VIEW hidden_view AS SELECT * FROM delta.`{secret}`",
    "INSERT OVERWRITE DIRECTORY '{secret}_out' USING csv SELECT 1",
    "CACHE TABLE {table}",
    "ADD JAR '/tmp/evil.jar'",
    "EXPLAIN SELECT * FROM delta.`{secret}`",
]


def test_bi_reads_nothing_else_and_changes_nothing(ask):
    statements = [s.format(secret=ask.secret, table=TABLE) for s in REFUSED]
    marked = [word for n, s in enumerate(statements) for word in (f"SELECT {n} AS mark", s)]
    told = ask("bi", ask.info.bi_password, *marked, f"SELECT customer_id, 'still there' AS told FROM {TABLE}")
    _, *answers = re.split(r"^mark$", told, flags=re.MULTILINE)
    assert [s for s, answer in zip(statements, answers, strict=True) if "The user bi " not in answer] == [], told
    assert "13700009999" not in told and "root:" not in told
    assert "C1,still there" in told


def test_the_other_user_may_all_and_a_wrong_password_nothing(ask):
    told = ask("shoplake", ask.info.sql_password, f"SELECT phone FROM delta.`{ask.secret}`")
    assert "13700009999" in told
    for user, password in (("bi", ask.info.sql_password), ("bi", ""), ("nobody", ask.info.bi_password)):
        assert "C1" not in ask(user, password, f"SELECT customer_id FROM {TABLE}")
