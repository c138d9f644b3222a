"""Bring Superset's database up to the bundle that `jobs.kit.dashboards` wrote: `python provision.py BUNDLE.json`.

Runs in Superset's own environment. Tables and roles of this version, the one log-in, and every database, data set,
chart and dashboard of the bundle; what an earlier bundle brought and this one lacks is deleted. What people made
themselves stays.
"""

import json
import os
import sys
from pathlib import Path

from flask import g
from flask_migrate import upgrade
from superset.app import create_app


def main(bundle: Path) -> None:
    """Do all of it; doing it again changes nothing."""
    app = create_app()
    with app.app_context():
        import superset
        from superset import appbuilder, security_manager

        upgrade(directory=str(Path(superset.__file__).parent / "migrations"))
        appbuilder.add_permissions(update_perms=True)
        security_manager.sync_role_definitions()
        user = log_in(security_manager)
        g.user = user
        contents = json.loads(bundle.read_text(encoding="utf-8"))
        import_all(contents)
        forget_others(contents)


def log_in(security_manager):  # type: ignore[no-untyped-def]  # Superset's types are not installed where we check ours
    """The one user, with the password of today."""
    name, password = os.environ["SHOPLAKE_SUPERSET_USER"], os.environ["SHOPLAKE_SUPERSET_PASSWORD"]
    user = security_manager.find_user(name)
    if user is None:
        role = security_manager.find_role("Admin")
        user = security_manager.add_user(name, "Shop", "Lake", f"{name}@localhost", role, password)
    else:
        security_manager.reset_password(user.id, password)
    return user


def import_all(contents: dict[str, str]) -> None:
    """What Superset's own command for assets under source control does."""
    from superset.commands.importers.v1.assets import ImportAssetsCommand

    ImportAssetsCommand(contents).run()


def forget_others(contents: dict[str, str]) -> None:
    """Delete what is managed from files and is in these files no more."""
    from superset import db
    from superset.connectors.sqla.models import SqlaTable
    from superset.models.dashboard import Dashboard
    from superset.models.slice import Slice

    ours = "\n".join(contents.values())
    for model in (Dashboard, Slice, SqlaTable):
        for row in db.session.query(model).filter_by(is_managed_externally=True):
            if str(row.uuid) not in ours:
                db.session.delete(row)
    db.session.commit()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
