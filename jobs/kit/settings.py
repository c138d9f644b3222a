"""Settings: the only module that reads the environment.

Every field can be set by an environment variable `SHOPLAKE_<FIELD>` (say `SHOPLAKE_LAKE=s3a://bucket/lake`), or by a
line of that form in `<home>/settings.env`, where the demo writes what its data ask for; the environment wins.
`shoplake doctor` prints the values in force.
"""

import getpass
from functools import lru_cache
from pathlib import Path
from zoneinfo import ZoneInfo

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

CHECKOUT = Path(__file__).resolve().parents[2]


class Settings(BaseSettings):
    """What differs between a laptop, a test and a cluster. Paths without a scheme are local."""

    model_config = SettingsConfigDict(env_prefix="SHOPLAKE_", env_nested_delimiter="__", extra="ignore")

    home: Path = Field(CHECKOUT / ".shoplake", description="Everything a run makes lives below this folder")
    lake: str = Field("", description="Root of the Delta tables: a path or s3a:// URI; default <home>/lake")
    drop: Path = Field(Path(), description="Where source systems drop their files; default <home>/drop")
    engine: str = Field("", description="Spark Connect URL of a running engine; default: the embedded one")
    master: str = Field("local[*]", description="Spark master of the embedded engine: local[*], spark://…, k8s://…")
    driver_memory: str = Field("3g", description="Heap of the engine's JVM")
    engine_port: int = Field(15002, description="Preferred port of Spark Connect; the next free one is taken")
    sql_port: int = Field(10000, description="Preferred port of SQL over JDBC; the next free one is taken")
    java_home: str = Field("", description="A Java 17 or 21 of your own; default: the one installed with the project")
    mlflow_uri: str = Field("", description="MLflow tracking and registry database; default: the embedded PostgreSQL")
    mlflow_artifacts: str = Field("", description="Root of model artifacts; default <home>/mlflow/artifacts")
    currency: str = Field("USD", description="ISO 4217 code of the unit `business_currency`")
    timezone: str = Field("America/New_York", description="Business time zone: what day a sale belongs to")
    sources: dict[str, SecretStr] = Field(
        {}, description="Addresses of source systems that can be asked: SHOPLAKE_SOURCES__ERP=postgresql://…"
    )
    run_by: str = Field("", description="Who or what runs, for the ledgers; default: the account")
    stream_clock: str = Field(
        "", description="Cron line on which Airflow drains sources on Kafka, say */10 * * * *; default: as their files"
    )
    alerts: SecretStr = Field(
        SecretStr(""), description="Addresses of Apprise that are told of failures: mailto://… dingtalk://… json://…"
    )
    openlineage: str = Field(
        "", description="Where Airflow sends OpenLineage events: a path of a file, or http://…; default: nowhere"
    )
    deadline_hours: float = Field(3, description="A DAG's run that has not ended so long after it was queued is late")
    report_templates: str = Field(
        "", description="A folder of your own report templates and words, which win (docs/reports.md); default: none"
    )
    data: str = Field("", description="The data that the demo brought into this lake")

    def model_post_init(self, _context: object) -> None:
        """Fill the defaults that hang on `home`."""
        self.home = self.home.expanduser().absolute()
        self.run_by = self.run_by or getpass.getuser()
        self.lake = self.lake or str(self.home / "lake")
        if "://" not in self.lake:
            self.lake = str(Path(self.lake).expanduser().absolute())
        self.drop = self.drop.expanduser().absolute() if self.drop != Path() else self.home / "drop"
        self.mlflow_artifacts = self.mlflow_artifacts or str(self.home / "mlflow" / "artifacts")

    def path(self, table: str) -> str:
        """Where a table lives: `silver.orders` is `<lake>/silver/orders`."""
        layer, _, name = table.partition(".")
        return f"{self.lake.rstrip('/')}/{layer}/{name}"

    @property
    def own_templates(self) -> Path | None:
        """The folder of `report_templates`, if there is to be one."""
        return Path(self.report_templates).expanduser().absolute() if self.report_templates else None

    @property
    def zone(self) -> ZoneInfo:
        """The business time zone."""
        return ZoneInfo(self.timezone)

    @property
    def landing(self) -> Path:
        """Received bytes, each file once. Local for now; the lake itself may be elsewhere."""
        return (self.home / "lake" if "://" in self.lake else Path(self.lake)) / "landing"


@lru_cache
def settings() -> Settings:
    """The settings of this process, read once."""
    return Settings(_env_file=_remembered(Settings()))  # type: ignore[call-arg]


def remember(conf: Settings, **values: str) -> None:
    """Write values beside the lake for every later process to find, and use them in this one.

    What was remembered before under other names is forgotten. Only its owner can read the file: addresses have keys.
    """
    lines = "".join(f"SHOPLAKE_{name.upper()}={value}\n" for name, value in values.items())
    conf.home.mkdir(parents=True, exist_ok=True)
    path = _remembered(conf)
    path.touch(mode=0o600)
    path.chmod(0o600)
    path.write_text(lines, encoding="utf-8")
    settings.cache_clear()


def _remembered(conf: Settings) -> Path:
    return conf.home / "settings.env"
