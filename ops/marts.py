"""Build, test and publish the marts with dbt: ``python -m ops.marts build|docs`` (main environment).

dbt reads one version of the lake and works in a DuckDB file of its own. When every model is fine, a lean copy of the marts
becomes ``var/warehouse/marts/<version>-<checksum>.duckdb``, which never changes, and a new version records it together with the
daily features. Shops whose rows fail a test keep there what they had (``ops.marts_shops``). A failed build leaves readers on
the version before.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import NamedTuple

from jishi import tables
from jishi.held_back import GateFinding
from jishi.lake import TableNotPublished
from jishi.lake.reading import LakeVersion, open_version
from jishi.lake.release import REFUSED
from jishi.paths import Paths
from jishi.settings import Settings, get_settings
from jishi.shops import Shops
from ops.dbt import dbt_environment, new_database, write_sources
from ops.dbt_process import BUILD_ALL, RunDbt, run_dbt, started_dbt
from ops.marts_changes import CannotCompare, write_touched
from ops.marts_file import OlderBuild, inputs_of, prepare_publication, publish_marts, published_inputs
from ops.marts_shops import HeldShopsUnknown, failing_shops, note_shops, without_registration
from ops.marts_state import BuiltState, project_checksum, registry_of, take_state, version_to_continue
from ops.marts_tests import EXCLUDED, failing_tests
from ops.site.dictionary import write_dictionary
from ops.site.home import write_home

NOTHING_TO_DO = 99  # Airflow takes this exit code for "skip": no shop has sent anything yet


class BuildFailed(RuntimeError):
    """dbt refused a model or a test; the message names them and the log."""


def build(settings: Settings, progress: Callable[[str], None], *, again: bool = False, whole: bool = False) -> None:
    """Build and test the marts of the newest version, and publish them with the daily features.

    Where silver, rates, shops and models are those of the published marts, these stay, unless ``again``. Else the last build is
    continued: what the newer version may have changed is built anew; ``whole`` builds everything anew. Raises BuildFailed: then
    nothing was published. Builds of one machine wait for each other; one that another machine has overtaken with a newer
    version is dropped.
    """
    paths = Paths.of(settings)
    with _alone(paths):
        began = time.monotonic()
        lake = open_version(settings)
        if not lake.has(tables.SILVER_EVENTS.name):
            raise TableNotPublished("silver has no published tables; run: python -m spark_jobs silver --batch history")
        shops = Shops.load(paths.shops_file)
        inputs = inputs_of(lake, shops)
        if not (again or whole) and published_inputs(lake) == inputs:
            assert lake.record is not None
            assert lake.record.marts is not None
            built_from = lake.record.marts.built_from
            progress(
                f"silver, shops and models are as in version {built_from}, from which the published marts are built; they stay"
            )
            return
        try:
            left_out = without_registration(lake, shops)
        except HeldShopsUnknown as error:
            raise BuildFailed(f"{error}; nothing was published") from None
        timed, definitions = partial(_timed, progress, began), paths.warehouse / "target" / "semantic_manifest.json"
        environment = dbt_environment(settings, work_database(paths)) | BUILD_ALL
        with (
            ThreadPoolExecutor(1) as beside,
            # What fails beside dbt is done again in publication, and fails there.
            started_dbt(environment, lambda: beside.submit(prepare_publication, definitions)) as run,
        ):
            state, held = _built(settings, lake, shops, run, timed, left_out=left_out, whole=whole)
        try:
            manifest = definitions.read_text(encoding="utf-8")
            # Without the checksum of its inputs this build counts as out of date: the next one tries the held shops again.
            known = "" if state.held else inputs
            version = publish_marts(settings, lake, work_database(paths), known, manifest, continues=state.marts, held=held)
        except OlderBuild as error:
            progress(str(error))
            return
        except HeldShopsUnknown as error:
            raise BuildFailed(f"{error}; nothing was published") from None
        assert version.marts is not None
        note_shops(paths, held, datetime.now(UTC))
        replace(state, marts=version.marts.file).write(paths)
        write_dictionary(paths, open_version(settings, version.number))
        write_home(settings, paths)
        progress(f"marts published in version {version.number} ({time.monotonic() - began:.0f} s)")


def _timed(progress: Callable[[str], None], began: float, line: str) -> None:
    progress(f"{line} ({time.monotonic() - began:.0f} s)")


def _built(
    settings: Settings,
    lake: LakeVersion,
    shops: Shops,
    run: RunDbt,
    progress: Callable[[str], None],
    *,
    left_out: Mapping[str, list[GateFinding]],
    whole: bool,
) -> tuple[BuiltState, dict[str, list[GateFinding]]]:
    """All models and tests on dbt's database, whose note is kept and returned, with the shops to be held back and why: those
    ``left_out``, which are not built, and those that tests refuse. Raises BuildFailed.
    """
    paths, database = Paths.of(settings), work_database(Paths.of(settings))
    last = take_state(paths)
    before, reason = version_to_continue(settings, database, last, left_out)
    if whole:
        before, reason = None, "asked for"
    if before is not None:
        assert last is not None
        write_sources(lake, shops, database, left_out)
        old, new = last.registry, registry_of(shops)
        changed = {shop for shop in old.keys() | new.keys() if old.get(shop) != new.get(shop)} | {*last.held}
        try:
            progress(f"continues version {before.number}: {write_touched(database, before, lake, sorted(changed))}")
        except CannotCompare as error:
            before, reason = None, str(error)
    if before is None:
        progress(f"full build: {reason}")
        new_database(lake, shops, database, left_out)
    held = _tested(settings, lake, database, run, progress, continues=before is not None)
    if before is not None and last is not None and (passing := sorted({*last.held} - held.keys())):
        # A row that a condition of continuing cannot name, without a day say, would be missing instead of being refused.
        progress(f"full build: tests refuse {', '.join(passing)} no longer")
        before = None
        new_database(lake, shops, database, left_out)
        held = _tested(settings, lake, database, _dbt(settings, database), progress, continues=False)
    size = database.stat().st_size if before is None or last is None else last.full_bytes
    marts = last.marts if before is not None and last is not None else None
    state = BuiltState(lake.number, project_checksum(), registry_of(shops), size, marts, sorted(held), sorted(left_out))
    all_held = held | dict(left_out)
    for shop_id, findings in all_held.items():
        names = ", ".join(finding.check for finding in findings)
        progress(f"shop {shop_id} is held back and keeps its marts of version {lake.number} and before: {names}")
    # Until this build is published, no file has its rows: the next one then writes every table, not only what it replaced.
    replace(state, marts=None).write(paths)
    return state, all_held


def _tested(
    settings: Settings, lake: LakeVersion, database: Path, run: RunDbt, progress: Callable[[str], None], *, continues: bool
) -> dict[str, list[GateFinding]]:
    """Run models and tests; the shops that failing tests hold back. Raises BuildFailed."""
    models, tests, failing = _run(settings, database, run, continues=continues)
    held = _held(settings, lake, database, failing)
    progress(f"dbt: {models} models built from version {lake.number}, {tests - len(failing)} tests passed")
    return held


def _held(settings: Settings, lake: LakeVersion, database: Path, failing: Mapping[str, str]) -> dict[str, list[GateFinding]]:
    """The shops that failing tests hold back. Raises BuildFailed where they cannot be told from the others, or have no marts
    yet that they could keep.
    """
    if not failing:
        return {}
    paths, reason = Paths.of(settings), "there are no marts yet that a shop could keep"
    try:
        if _has_marts(lake):
            return failing_shops(settings, database, failing)
    except HeldShopsUnknown as error:
        reason = str(error)
    names = ", ".join(failing)
    raise BuildFailed(f"dbt build failed in {names} ({reason}); nothing was published; see {paths.log / 'dbt' / 'dbt.log'}")


def _dbt(settings: Settings, database: Path) -> RunDbt:
    """dbt anew, after the process that was started ahead has ended."""
    return lambda arguments: run_dbt(arguments, dbt_environment(settings, database) | BUILD_ALL)


def _has_marts(lake: LakeVersion) -> bool:
    return lake.marts is not None and lake.marts.exists()


def _run(settings: Settings, database: Path, run: RunDbt, *, continues: bool) -> tuple[int, int, dict[str, str]]:
    """Run models and tests; how many of each, and the tests that fail with the query of their rows. Raises BuildFailed.

    What depends on a test that fails is built all the same, for the shops that pass it.
    """
    paths = Paths.of(settings)
    # Unit tests of the models run in the test suite, where they belong; here the data is what is in question.
    # The log tells what was built and what failed; dbt's debug lines, and a second log, took a fifth of the build's time.
    arguments = ["--log-level", "none", "--log-level-file", "info", "build"]
    arguments += ["--exclude-resource-type", "unit_test", "--exclude", EXCLUDED]
    if continues:  # views are there already, and read the newer sources
        arguments += ["--select", "config.materialized:table", "config.materialized:incremental", "test_type:singular"]
    done, results = run(arguments), _results(paths)
    broken = [name for name, result in results.items() if result.status in ("error", "runtime error")]
    failing = {name.split(".")[2]: result.sql for name, result in results.items() if result.status in ("warn", "fail")}
    if done.returncode != 0 and not broken:  # a dbt that died leaves the results of the run before
        raise BuildFailed(
            f"dbt build failed in {done.stdout[-800:]}; nothing was published; see {paths.log / 'dbt' / 'dbt.log'}"
        )
    missing = {name for name, result in results.items() if result.status != "success"}
    generic, count = failing_tests(settings, database, paths.warehouse / "target" / "manifest.json", missing)
    if broken:
        names = ", ".join([*broken, *failing, *generic])
        raise BuildFailed(f"dbt build failed in {names}; nothing was published; see {paths.log / 'dbt' / 'dbt.log'}")
    models = sum(name.startswith("model.") for name in results)
    return models, count + sum(name.startswith("test.") for name in results), failing | generic


def work_database(paths: Paths) -> Path:
    """dbt's own database, with every model of the last build."""
    return paths.warehouse / "build.duckdb"


@contextmanager
def _alone(paths: Paths) -> Iterator[None]:
    """One build at a time works in dbt's folder."""
    paths.warehouse.mkdir(parents=True, exist_ok=True)
    with (paths.warehouse / "build.lock").open("w", encoding="utf-8") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield


class _Result(NamedTuple):
    """What became of a model or test; ``sql`` is the query that dbt compiled of it."""

    status: str
    sql: str


def _results(paths: Paths) -> dict[str, _Result]:
    file = paths.warehouse / "target" / "run_results.json"
    if not file.exists():
        return {}
    results = json.loads(file.read_text(encoding="utf-8"))["results"]
    return {result["unique_id"]: _Result(result["status"], result.get("compiled_code") or "") for result in results}


def docs(settings: Settings) -> Path:
    """Write the static dbt documentation of the last build and return its page. Raises BuildFailed."""
    paths = Paths.of(settings)
    with _alone(paths):
        environment = dbt_environment(settings, work_database(paths))
        done = run_dbt(["--log-level-file", "info", "docs", "generate", "--static"], environment)
        written = paths.warehouse / "target" / "static_index.html"
        if done.returncode != 0 or not written.exists():
            raise BuildFailed(f"dbt docs failed: {done.stdout[-800:]}")
        page = paths.site / "dbt" / "index.html"
        page.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(written, page)
        write_home(settings, paths)
        return page


def main() -> int:
    """Run one command; an error that a user can mend is printed in one line."""
    parser = argparse.ArgumentParser(prog="python -m ops.marts", description="Marts with dbt on DuckDB.")
    parser.add_argument("command", choices=("build", "docs"))
    parser.add_argument("--again", action="store_true", help="build although nothing has changed")
    parser.add_argument("--whole", action="store_true", help="build everything anew, whatever has changed")
    chosen = parser.parse_args()
    settings = get_settings()
    try:
        if chosen.command == "build":
            build(settings, lambda line: print(line, flush=True), again=chosen.again, whole=chosen.whole)
        else:
            print(f"dbt docs written to {docs(settings)}")
    except TableNotPublished as error:
        print(f"ops.marts {chosen.command}: {error.args[0]}", file=sys.stderr)
        return NOTHING_TO_DO
    except (BuildFailed, *REFUSED) as error:
        print(f"ops.marts {chosen.command}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
