"""Superset's settings. Secrets and addresses come from `shoplake up superset`, by environment variables."""

import os
from typing import Any

from pyhive.sqlalchemy_hive import HiveDialect
from sqlalchemy import text
from superset.config import TALISMAN_CONFIG as DEFAULT_TALISMAN_CONFIG

SECRET_KEY = os.environ["SUPERSET_SECRET_KEY"]
GUEST_TOKEN_JWT_SECRET = GLOBAL_ASYNC_QUERIES_JWT_SECRET = SECRET_KEY  # neither is used; their defaults are known
SQLALCHEMY_DATABASE_URI = os.environ["SHOPLAKE_SUPERSET_DATABASE"]

LANGUAGES = {
    "en": {"flag": "us", "name": "English"},
    "zh": {"flag": "cn", "name": "简体中文"},
}
# Bars that say one thing are of one colour (jobs/kit/dashboards.py says why Superset would give each its own).
EXTRA_CATEGORICAL_COLOR_SCHEMES = [
    {"id": "shoplakeOne", "label": "One colour", "description": "", "isDefault": False, "colors": ["#1FA8C9"]}
]
# One process serves one laptop: no workers, no cache of answers (the file that is asked answers in milliseconds).
RATELIMIT_STORAGE_URI = "memory://"
SUPERSET_WEBSERVER_TIMEOUT = 120
SQLLAB_TIMEOUT = 120
TALISMAN_CONFIG = dict(DEFAULT_TALISMAN_CONFIG)
# The page may load from itself alone: no telemetry, maps or avatars of others, whatever a release puts in.
TALISMAN_CONFIG["content_security_policy"] = {
    "base-uri": ["'self'"],
    "default-src": ["'self'"],
    "img-src": ["'self'", "blob:", "data:"],
    "worker-src": ["'self'", "blob:"],
    "connect-src": ["'self'"],
    "object-src": "'none'",
    "style-src": ["'self'", "'unsafe-inline'"],
    "script-src": ["'self'", "'strict-dynamic'"],
}


def _tables(self: HiveDialect, connection: Any, schema: str | None = None, **_: Any) -> list[str]:
    where = f" IN {self.identifier_preparer.quote_identifier(schema)}" if schema else ""
    return [row[1] for row in connection.execute(text(f"SHOW TABLES{where}"))]


# PyHive takes the first column of the answer for the table. Hive has but one; with Spark the first is the schema.
HiveDialect.get_table_names = _tables
