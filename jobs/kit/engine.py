"""The embedded engine: one Spark driver, detached, that serves jobs over Connect and BI over JDBC.

One JVM, because two that write the same Delta table on a local disk can lose each other's commits, and because a job
that attaches needs no start of its own. Both doors are on loopback and want a secret made at the first start.
"""

import importlib.metadata
import importlib.util
import json
import shutil
import signal
import sys
import tempfile
import time
import tomllib
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from jobs.kit import process
from jobs.kit.process import LOOPBACK, Handle, NotStarted
from jobs.kit.settings import CHECKOUT, Settings, settings

if TYPE_CHECKING:  # whoever only starts or stops the engine need not wait for pyspark
    from pyspark.sql import SparkSession

MAIN = "org.apache.spark.sql.hive.thriftserver.HiveThriftServer2"
START_SECONDS = 300
WARM_SECONDS = 180
LOG4J = CHECKOUT / "infra" / "engine.log4j2.properties"
SQL_USER, READER = "shoplake", "bi"  # of the SQL port: all rights; reads gold and scoring only (infra/SqlRoles.scala)
# On small data more CPU goes into compiling than into rows, and two cores do both. The parallel collector has no
# threads of its own at work beside the job; the second compiler is asked four times later than by default.
JVM = (
    "-XX:+UseParallelGC",
    "-XX:Tier4InvocationThreshold=20000",
    "-XX:Tier4MinInvocationThreshold=2400",
    "-XX:Tier4CompileThreshold=60000",
    "-XX:Tier4BackEdgeThreshold=160000",
)


@dataclass(frozen=True)
class EngineInfo:
    """A running engine and how to reach it."""

    pid: int
    created: float
    connect_port: int
    sql_port: int
    token: str
    sql_password: str
    bi_password: str
    started: str
    log: Path

    @property
    def url(self) -> str:
        """Spark Connect's address (the name localhost: the token is refused elsewhere on an open channel)."""
        return f"sc://localhost:{self.connect_port}/;token={self.token}"

    @property
    def jdbc(self) -> str:
        """The address for BI tools; the user is `bi` with `bi_password`, or `shoplake` with `sql_password`."""
        return f"jdbc:hive2://{LOOPBACK}:{self.sql_port}/default"

    @property
    def handle(self) -> Handle:
        """The process."""
        return Handle(self.pid, self.created)


def attach(settings: Settings) -> str:
    """The Connect address of the running engine; starts it when none runs."""
    return (status(settings) or start(settings)).url


def status(settings: Settings) -> EngineInfo | None:
    """The engine, if it is up and answers."""
    engine = _recorded(settings)
    return engine if engine and engine.handle.process() and _answers(engine) else None


def start(settings: Settings, *, warm: bool = True) -> EngineInfo:
    """Start the engine, or return the one that runs. Safe for any number of callers at once."""
    with process.alone(settings.home, "engine"):
        if engine := status(settings):
            return engine
        engine = _recorded(settings)
        if not (engine and engine.handle.process()):  # else a starter died before its engine was up: wait for that one
            _stop_strays(settings)
            engine = _launch(settings)
        try:
            _wait_for(engine)
        except NotStarted as error:
            if "BindException" not in str(error):
                raise
            engine = _launch(settings)  # somebody took the port between our look and the engine's: take another
            _wait_for(engine)
        if warm:
            _warm_up(settings, engine)
        return engine


def _wait_for(engine: EngineInfo) -> None:
    """Wait until it answers; leave nothing half-started, whatever ends the waiting (Ctrl-C too)."""
    try:
        process.wait_until(lambda: _answers(engine), engine.handle, "The engine", engine.log, START_SECONDS)
    except BaseException:
        process.stop(engine.handle, patience=2)
        raise


def stop(settings: Settings) -> bool:
    """Stop the engine and tell whether there was one."""
    with process.alone(settings.home, "engine"):
        engine = _recorded(settings)
        stopped = bool(engine and process.stop(engine.handle)) or _stop_strays(settings)
        (_home(settings) / "state.json").unlink(missing_ok=True)
        return stopped


def clear_scratch(spark: "SparkSession", settings: Settings) -> None:
    """Let the engine delete what nobody refers to any more: queries delete their shuffle files when they end, for those
    of writes and of what was persisted the garbage has to be collected. A cluster's executors are their operator's.
    """
    spark.sql("SELECT reflect('java.lang.System', 'gc')").collect()
    scratch, before = _home(settings) / "tmp", -1
    while before != (now := sum(p.is_file() for p in scratch.rglob("*"))):  # it deletes in a thread of its own
        before = now
        time.sleep(0.5)


# --- how it is launched -----------------------------------------------------------------------------------------------


def _launch(settings: Settings) -> EngineInfo:
    _check(settings)
    home = _home(settings)
    shutil.rmtree(home / "tmp", ignore_errors=True)  # what an engine that was killed could not clear away
    for name in ("tmp", "warehouse"):
        (home / name).mkdir(parents=True, exist_ok=True)
    connect_port = process.free_port(settings.engine_port)
    sql_port = process.free_port(settings.sql_port, taken={connect_port})
    token, password_file, bi_file = process.secret(home / "connect.token"), home / "sql.password", home / "bi.password"
    process.secret(password_file)
    process.secret(bi_file)

    conf = _conf(settings, home, connect_port, token)
    conf_file = home / "spark.conf"  # a file, not words on the command line: those anybody can read
    process.write_private(conf_file, "".join(f"{name} {value}\n" for name, value in conf.items()))
    hive = {
        "hive.server2.thrift.port": sql_port,
        "hive.server2.thrift.bind.host": LOOPBACK,
        "hive.server2.authentication": "CUSTOM",
        "hive.server2.custom.authentication.class": "shoplake.SqlLogin",
    }
    spark = _spark_home()
    options = {"class": MAIN, "name": "shoplake", "properties-file": str(conf_file), "conf": _mark(settings)}
    command = [str(spark / "bin" / "spark-submit"), *(word for k, v in options.items() for word in (f"--{k}", v))]
    command += ["spark-internal", *(word for k, v in hive.items() for word in ("--hiveconf", f"{k}={v}"))]
    env = process.environment(
        JAVA_HOME=settings.java_home or str(CHECKOUT / ".shoplake" / "java"),
        SPARK_HOME=str(spark),
        SPARK_CONF_DIR=str(spark / "conf"),  # there is none: the settings of another Spark stay out
        SPARK_LOCAL_IP=LOOPBACK,
        PYSPARK_PYTHON=sys.executable,
        SHOPLAKE_SQL_PASSWORD_FILE=str(password_file),
        SHOPLAKE_BI_PASSWORD_FILE=str(bi_file),
    )
    log = home / "engine.log"
    handle = process.spawn(command, log=log, env=env, cwd=home)  # Derby's metastore lands in the working directory
    state = {
        "pid": handle.pid,
        "created": handle.created,
        "connect_port": connect_port,
        "sql_port": sql_port,
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    process.write_json(home / "state.json", state)
    engine = _recorded(settings)
    assert engine is not None
    return engine


def _conf(settings: Settings, home: Path, connect_port: int, token: str) -> dict[str, str]:
    folders = (CHECKOUT / ".shoplake" / "jars", CHECKOUT / ".shoplake" / "kafka" / "engine")  # the second if installed
    jars = [str(jar) for folder in folders for jar in sorted(folder.glob("*.jar"))]
    return {
        "spark.master": settings.master,
        "spark.driver.memory": settings.driver_memory,
        "spark.driver.host": LOOPBACK,
        "spark.driver.bindAddress": LOOPBACK,
        "spark.driver.extraClassPath": ":".join(jars),  # not spark.jars: Connect would not find Delta there
        "spark.driver.extraJavaOptions": " ".join([f"-Dlog4j2.configurationFile={LOG4J.as_uri()}", *JVM]),
        "spark.local.dir": str(home / "tmp"),
        # What was opened from the vault is shuffled too: nobody is to read it in the scratch space once a query
        # is over. (Not spark.io.encryption: under it Connect cannot take in a local relation of more than a megabyte.)
        "spark.sql.connect.shuffleDependency.fileCleanup.enabled": "true",
        "spark.sql.thriftserver.shuffleDependency.fileCleanup.enabled": "true",
        "spark.ui.enabled": "false",
        "spark.plugins": "org.apache.spark.sql.connect.SparkConnectPlugin",
        "spark.connect.grpc.binding.address": LOOPBACK,
        "spark.connect.grpc.binding.port": str(connect_port),
        "spark.connect.authenticate.token": token,
        "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension,shoplake.SqlRoles",
        "spark.shoplake.lake": settings.lake,
        "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
        "spark.sql.warehouse.dir": str(home / "warehouse"),
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.ansi.enabled": "true",
        # Small lakes: the defaults (200, 50 and 10,000 tasks) would be nothing but overhead.
        "spark.sql.shuffle.partitions": "4",
        "spark.databricks.delta.snapshotPartitions": "1",
        "spark.sql.sources.parallelPartitionDiscovery.parallelism": "4",
        # A pass that pays where a key has many rows to choose from; here nearly every row stays.
        "spark.sql.optimizer.windowGroupLimitThreshold": "-1",
        "spark.sql.inMemoryColumnarStorage.compressed": "false",  # a candidate lives for seconds
        # Delta 4.4 answers max(date) out of its log, and casts the date to what Connect does not use: an error.
        "spark.databricks.delta.optimizeMetadataQuery.enabled": "false",
        # Off by default, and without it a repeated commit is a second commit.
        "spark.databricks.delta.commit.idempotencyCheck.enabled": "true",
        # Off by default, and without it JDBC's metadata (what Tableau and DBeaver list) has tables without columns.
        "spark.databricks.delta.catalog.update.enabled": "true",
    }


def _check(settings: Settings) -> None:
    pins = tomllib.loads((CHECKOUT / "infra" / "jars.toml").read_text())
    for package, version in pins["pair"].items():
        if (found := importlib.metadata.version(package)) != version:
            raise NotStarted(
                f"The engine runs {package} {version} (infra/jars.toml) and nothing else; this is {found}."
            )
    for jar in pins["jar"]:
        name = "{1}-{2}.jar".format(*jar["coordinates"].split(":"))
        if not (CHECKOUT / ".shoplake" / "jars" / name).exists():
            raise NotStarted(f"{name} is not installed: run `make install`.")
    heap = _bytes(settings.driver_memory)
    if psutil.virtual_memory().total < heap + 1e9:
        size = settings.driver_memory
        raise NotStarted(f"A heap of {size} does not fit this machine's memory: set SHOPLAKE_DRIVER_MEMORY to less.")


def _bytes(size: str) -> float:
    return float(size[:-1]) * {"k": 1 << 10, "m": 1 << 20, "g": 1 << 30}[size[-1].lower()]


def _spark_home() -> Path:
    spec = importlib.util.find_spec("pyspark")
    assert spec and spec.origin
    return Path(spec.origin).parent


def _mark(settings: Settings) -> str:
    """A word on the command line that tells this lake's engine from another's."""
    return f"spark.shoplake.home={settings.home}"


# --- who is there -----------------------------------------------------------------------------------------------------


def _home(settings: Settings) -> Path:
    return settings.home / "engine"


def _recorded(settings: Settings) -> EngineInfo | None:
    home = _home(settings)
    try:
        state = json.loads((home / "state.json").read_text())
        token, sql, bi = (process.secret(home / name) for name in ("connect.token", "sql.password", "bi.password"))
        return EngineInfo(**state, token=token, sql_password=sql, bi_password=bi, log=home / "engine.log")
    except (OSError, ValueError, TypeError):  # none, or a state of another version of us
        return None


def _answers(engine: EngineInfo) -> bool:
    return process.listens(engine.connect_port) and process.listens(engine.sql_port)


def _stop_strays(settings: Settings) -> bool:
    """Stop engines of this lake that no state records (their starter was killed, or the state deleted)."""
    strays = []
    for candidate in psutil.process_iter(["cmdline", "create_time"]):
        words = candidate.info["cmdline"] or []
        if MAIN in words and _mark(settings) in words:
            strays.append(Handle(candidate.pid, candidate.info["create_time"]))
    return bool(process.stop(*strays))


# --- warm-up ----------------------------------------------------------------------------------------------------------


def _warm_up(settings: Settings, engine: EngineInfo) -> None:
    """Have the engine load what the first job would otherwise wait for; nobody waits for this."""
    env = process.environment(SHOPLAKE_ENGINE=engine.url, PYTHONPATH=str(CHECKOUT))
    process.spawn([sys.executable, "-m", "jobs.kit.engine"], log=_home(settings) / "warm-up.log", env=env, cwd=CHECKOUT)


def warm(url: str) -> None:
    """Write, merge, read and aggregate one tiny Delta table; then give the lake's tables their names."""
    from pyspark.sql import SparkSession

    from jobs.kit import lake

    begun = time.monotonic()
    spark = SparkSession.builder.remote(url).getOrCreate()
    with tempfile.TemporaryDirectory(prefix="shoplake-warm-") as folder:
        table = f"delta.`{folder}/t`"
        rows = spark.range(8).selectExpr(
            "id", "date'2017-01-01' + cast(id % 2 as int) day", "cast(id as decimal(9,2)) n"
        )
        rows.write.format("delta").partitionBy("day").save(f"{folder}/t")
        spark.sql(
            f"MERGE INTO {table} t USING (SELECT * FROM {table} WHERE id > 4) s ON t.id = s.id "
            "WHEN MATCHED THEN UPDATE SET * WHEN NOT MATCHED THEN INSERT *"
        )
        spark.sql(f"SELECT day, sum(n), count(DISTINCT id) FROM {table} GROUP BY day").toPandas()
    lake.serve_all(spark)
    spark.stop()
    print(f"warm after {time.monotonic() - begun:.1f} s")  # noqa: T201 (its log file)


if __name__ == "__main__":
    signal.alarm(WARM_SECONDS)  # if the engine goes away meanwhile, Connect would try for ten minutes
    warm(settings().engine)
