"""Airflow's own database: migrated once per version and kept as a template, because a copy is faster than a migration.

``python -m ops.airflow_database`` makes the platform's database ready; ``… template`` only makes the template
(``scripts/setup`` does, while other environments are still on their way); ``… forget --days N [--dry-run]`` deletes runs that
are older. A fresh database holds no secret and no user.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

from jishi.files import write_atomically
from jishi.paths import Paths
from jishi.settings import Settings, get_settings
from ops.airflow import airflow_environment, write_secrets

# Name, slots, why: tasks of a pool run so many at a time.
POOLS = (
    ("warehouse", "1", "DuckDB has one writer"),
    ("spark", "1", "a Spark driver takes the memory and the cores of the embedded profile"),
)


class AirflowMissing(RuntimeError):
    """Airflow is not installed, or refuses to migrate its database."""


def installed_version(paths: Paths) -> str:
    """Airflow's version in its environment. Raises AirflowMissing."""
    installed = sorted((paths.envs / "airflow").glob("lib/python*/site-packages/apache_airflow-*.dist-info"))
    if not installed:
        raise AirflowMissing(f"Airflow is not installed in {paths.envs / 'airflow'}; run scripts/setup")
    return installed[0].name.removeprefix("apache_airflow-").removesuffix(".dist-info")


def _state(paths: Paths) -> str:
    """What a database is made ready for: Airflow's version and the pools."""
    return "-".join([installed_version(paths), *(f"{name}{slots}" for name, slots, _ in POOLS)])


def template_file(paths: Paths) -> Path:
    """Where the migrated, otherwise empty database of the installed version with its pools is kept."""
    return paths.envs / "templates" / f"airflow-{_state(paths)}.db"


def make_ready(settings: Settings, paths: Paths) -> str:
    """Create or migrate the platform's database where needed. Returns what was done."""
    version = _state(paths)
    if settings.airflow_database_url:
        write_secrets(paths)
        _migrate(settings, paths)
        return f"migrated to Airflow {version} on its server"
    database, noted, template = paths.airflow / "airflow.db", paths.airflow / "database_version", template_file(paths)
    if database.exists() and noted.exists() and noted.read_text(encoding="utf-8").strip() == version:
        return f"the database is that of Airflow {version}"
    if not database.exists():
        if not template.exists():
            make_template(settings, paths)
        _copy(template, database)
        done = f"a copy of the migrated template of Airflow {version}"
    else:
        write_secrets(paths)
        _migrate(settings, paths)
        done = f"migrated to Airflow {version}"
    write_atomically(noted, version + "\n")
    return done


def make_template(settings: Settings, paths: Paths) -> None:
    """Migrate an empty database in a scratch folder and keep it as the template."""
    template = template_file(paths)
    with tempfile.TemporaryDirectory(prefix="jishi-airflow-") as scratch:
        aside = Paths(var=Path(scratch), envs=paths.envs)
        write_secrets(aside)
        _migrate(settings.model_copy(update={"airflow_database_url": ""}), aside)
        _copy(aside.airflow / "airflow.db", template)


def _migrate(settings: Settings, paths: Paths) -> None:
    airflow = str(paths.envs / "airflow" / "bin" / "airflow")
    environment = os.environ | airflow_environment(settings, paths)
    for arguments in (("db", "migrate"), *(("pools", "set", *pool) for pool in POOLS)):
        done = subprocess.run([airflow, *arguments], env=environment, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise AirflowMissing(f"airflow {' '.join(arguments)} failed:\n{(done.stdout + done.stderr)[-2000:]}")


def forget_runs(settings: Settings, paths: Paths, before: datetime, *, dry_run: bool = False) -> None:
    """Delete what Airflow noted before an instant: runs, task instances, logs of its database. Raises AirflowMissing.

    The newest run of each DAG stays (Airflow's own rule), so that a schedule goes on where it was.
    """
    airflow = str(paths.envs / "airflow" / "bin" / "airflow")
    arguments = ["db", "clean", "--yes", "--skip-archive", "--clean-before-timestamp", before.isoformat(timespec="seconds")]
    arguments += ["--dry-run"] if dry_run else []
    environment = os.environ | airflow_environment(settings, paths)
    done = subprocess.run([airflow, *arguments], env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise AirflowMissing(f"airflow {' '.join(arguments)} failed:\n{(done.stdout + done.stderr)[-2000:]}")


def _copy(source: Path, target: Path) -> None:
    """Copy in one step, so that a half-written database is never taken for a whole one."""
    target.parent.mkdir(parents=True, exist_ok=True)
    aside = target.with_name(f".{target.name}.{os.getpid()}")
    shutil.copyfile(source, aside)
    os.replace(aside, target)


def main() -> None:
    """Make the database, or only the template, or forget old runs."""
    parser = argparse.ArgumentParser(prog="python -m ops.airflow_database", description="Make the platform's database ready.")
    commands = parser.add_subparsers(dest="command", metavar="template|forget")
    commands.add_parser("template", help="only make the template")
    forget = commands.add_parser("forget", help="delete runs that are older")
    forget.add_argument("--days", type=int, required=True)
    forget.add_argument("--dry-run", action="store_true")
    chosen = parser.parse_args()
    settings = get_settings()
    paths = Paths.of(settings)
    try:
        if chosen.command == "template":
            if not template_file(paths).exists():
                make_template(settings, paths)
            print(f"Airflow's database template: {template_file(paths)}")
        elif chosen.command == "forget":
            before = datetime.now(UTC) - timedelta(days=chosen.days)
            forget_runs(settings, paths, before, dry_run=chosen.dry_run)
            print(f"runs of before {before:%Y-%m-%d}{' would be' if chosen.dry_run else ''} forgotten")
        else:
            print(f"Airflow's database: {make_ready(settings, paths)}")
    except AirflowMissing as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
