"""What can be wrong with a machine or a lake, found and named with its fix."""

import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass

import psutil

from jobs.kit.settings import settings


@dataclass(frozen=True)
class Examined:
    """One thing looked at."""

    what: str
    found: str
    ok: bool
    fix: str = ""


def examine() -> Iterator[Examined]:
    """Machine, installation, engine, contracts, tables: in the order in which they would stop a run."""
    said = settings()
    yield Examined("Python", sys.version.split()[0], sys.version_info >= (3, 11), "Python 3.11 or 3.12 is wanted")
    memory = psutil.virtual_memory().available / 2**30
    yield Examined("memory free", f"{memory:.1f} GiB", memory > 3, "close something, or set SHOPLAKE_DRIVER_MEMORY=1g")
    said.home.mkdir(parents=True, exist_ok=True)
    disk = shutil.disk_usage(said.home).free / 2**30
    yield Examined("disk free", f"{disk:.1f} GiB in {said.home}", disk > 3, "free some, or set SHOPLAKE_HOME elsewhere")
    import delta
    import pyspark

    pair = f"pyspark {pyspark.__version__}"
    yield Examined("Spark", pair, pyspark.__version__ == "4.2.0", "make install puts the tested pair back")
    del delta
    yield _engine()
    yield _contracts()
    yield _tables()


def _engine() -> Examined:
    from jobs.kit import engine

    found = engine.status(settings())
    if found is None:
        return Examined("engine", "not running (the first run starts it)", True)
    return Examined("engine", f"pid {found.pid}, Connect port {found.connect_port}, SQL port {found.sql_port}", True)


def _contracts() -> Examined:
    from jobs.kit import gate, lineage
    from jobs.kit.contracts import ContractError, all_contracts

    try:
        lineage.order()
        for contract in all_contracts():
            gate.checks(contract)
    except (ContractError, lineage.LineageError) as error:
        return Examined("contracts", str(error).splitlines()[0], False, "shoplake contract lint names every problem")
    return Examined("contracts", f"{len(all_contracts())}, all read strictly", True)


def _tables() -> Examined:
    from jobs.kit import lake
    from jobs.kit.contracts import all_contracts

    broken = []
    for contract in all_contracts():
        try:
            lake.stamp(contract.name)
        except Exception as error:
            broken.append(f"{contract.name}: {error}")
    text = "; ".join(broken) or "every published table can be opened"
    return Examined("tables", text, not broken, "delete the broken table's folder and run it again with --full")
