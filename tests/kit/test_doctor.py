"""What doctor finds wrong it names, with the fix; what is right it leaves alone."""

import json
from datetime import date

from typer.testing import CliRunner

from jobs import cli
from jobs.kit import doctor, vault
from jobs.kit.run import Result, record
from jobs.kit.settings import settings


def found() -> dict[str, doctor.Examined]:
    return {e.what: e for e in doctor.examine()}


def test_an_empty_lake_on_a_good_machine_is_well(lake):
    told = found()
    assert all(told[w].ok for w in ("Spark and Delta", "Delta's jars", "Java", "contracts", "tables", "last runs"))
    assert told["last runs"].found == "none was held, none crashed"


def test_a_table_that_its_gate_held_is_named_until_a_later_run_passes(lake):
    run = Result("silver.orders", date(2025, 6, 1), "r1", "refused")
    record([run, Result("silver.stores", date(2025, 6, 1), "r2", "published")])
    assert not found()["last runs"].ok and found()["last runs"].found == "silver.orders refused"
    record([Result("silver.orders", date(2025, 6, 1), "r3", "published")])
    assert found()["last runs"].ok


def test_a_table_that_cannot_be_opened_is_named(lake):
    log = lake / "lake" / "silver" / "orders" / "_delta_log"
    log.mkdir(parents=True)
    (log / f"{0:020}.json").write_text("{broken")
    told = found()["tables"]
    assert not told.ok and "silver.orders" in told.found and "--full" in told.fix


def test_a_secret_that_others_can_read_is_named(lake):
    secret = settings().home / "secrets" / "of-a-test"
    secret.parent.mkdir(parents=True, exist_ok=True)
    secret.write_text("x")
    try:
        secret.chmod(0o644)
        assert "of-a-test" in found()["secrets"].found and not found()["secrets"].ok
        secret.chmod(0o600)
        assert "of-a-test" not in found()["secrets"].found
    finally:
        secret.unlink()


def test_a_vault_without_its_key_is_told(lake, monkeypatch, tmp_path):
    monkeypatch.setattr(doctor, "settings", lambda: settings().model_copy(update={"home": tmp_path}))
    monkeypatch.setattr("jobs.kit.lake.version", lambda table: 0 if table == vault.TABLE else None)
    assert "key is gone" in found()["secrets"].found


def test_a_folder_that_nobody_reads_is_named(lake):
    for folder in ("pos/pos_linse", "pos/pos_lines", "crm/members"):  # the last two are some contract's
        (lake / "drop" / folder).mkdir(parents=True)
    told = found()["drop folder"]
    assert not told.ok and told.found == "nobody reads pos/pos_linse"


def test_no_address_and_no_password_is_shown(lake, monkeypatch):
    monkeypatch.setenv("SHOPLAKE_SOURCES__ERP", "postgresql://lake:hunter2@erp.example.com/retail")
    monkeypatch.setenv("SHOPLAKE_ALERTS", "mailto://user:hunter2@example.com")
    settings.cache_clear()
    try:
        told = found()["settings"].found
    finally:
        monkeypatch.undo()
        settings.cache_clear()
    assert "erp" in told and "alerts" in told and "hunter2" not in told


def test_scripts_get_one_document_and_an_exit_code(lake):
    (lake / "drop" / "pos" / "pos_linse").mkdir(parents=True)
    done = CliRunner().invoke(cli.app, ["doctor", "--json"])
    told = {e["what"]: e for e in json.loads(done.stdout)}
    assert done.exit_code == 1 and not told["drop folder"]["ok"] and told["contracts"]["ok"]
