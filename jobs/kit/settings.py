"""Settings: the only module that reads the environment.

Every field can be set by an environment variable `SHOPLAKE_<FIELD>` (say `SHOPLAKE_LAKE=s3a://bucket/lake`);
`shoplake doctor` prints the values in force.
"""

from functools import lru_cache
from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

CHECKOUT = Path(__file__).resolve().parents[2]


class Settings(BaseSettings):
    """What differs between a laptop, a test and a cluster. Paths without a scheme are local."""

    model_config = SettingsConfigDict(env_prefix="SHOPLAKE_", extra="ignore")

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
    data: Literal["slice", "full", "tiny"] = Field("slice", description="How much of Complete Journey is dressed")

    def model_post_init(self, _context: object) -> None:
        """Fill the defaults that hang on `home`."""
        self.home = self.home.expanduser().absolute()
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
    def landing(self) -> Path:
        """Received bytes, each file once. Local for now; the lake itself may be elsewhere."""
        return (self.home / "lake" if "://" in self.lake else Path(self.lake)) / "landing"


@lru_cache
def settings() -> Settings:
    """The settings of this process, read once."""
    return Settings()
