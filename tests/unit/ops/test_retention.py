"""Nothing that a platform writes grows without bound: every place has a rule, and two years leave no more than one."""

from __future__ import annotations

import ast
import os
import re
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from dashboard.database import forget_views
from dashboard.portal.database import PortalDatabase
from dashboard.portal.forgetting import DATED, forget
from jishi import topics
from jishi.paths import Paths
from jishi.settings import PROJECT_ROOT, Settings
from models.release.registry import KEPT_RELEASES, _drop_old
from ops.parts import parts
from ops.retention import page
from ops.retention.applying import retain_files
from ops.retention.places import PLACES, place_of
from ops.retention.rules import FoldersOlderThan, OlderThan, PartKeeps, Rotated
from ops.supervisor import write_configuration

DAY_S = 86_400
BEGIN_S = 1_700_000_000
STEP_DAYS, LAST_DAY = 10, 900
# What one day adds, at each place that jishi retain bounds by age or number.
ADDED = {
    "wal/damaged-*.bin": "wal/damaged-{n}-4096.bin",
    "landing/unreadable/**": "landing/unreadable/part-{n}-0",
    "landing/history/.*.import/**": "landing/history/.shop{n}.import/events-0.jsonl",
    "flink/checkpoints/*/": "flink/checkpoints/{n:016x}/1f00/chk-7/_metadata",
    "flink/checkpoints-before-*/": "flink/checkpoints-before-{n}/0f/1f00/chk-7/_metadata",
    "lake/*-*/**": "lake/history-{n}/a/part.parquet",
    "spark/**": "spark/blockmgr-{n}/0d/shuffle_0.data",
    "features/sources/**": "features/sources/person_daily/{n}.parquet",
    "models/*/candidates/*/": "models/a/candidates/{n:016x}/full/als.npz",
    "serving/served_values/*/*": "serving/served_values/{n}/4711.jsonl",
    "serving/decisions/*/*": "serving/decisions/{n}/4711.sample.jsonl",
    "serving/catalogues/*/*": "serving/catalogues/a/{n}.items.jsonl.gz",
    "digests/*/*": "digests/a/{n}-en.html",
    "alerts/*/*": "alerts/a/{n}-1-en.txt",
    "runs/*/": "runs/daily-{n}/silver.jsonl",
    "airflow/logs/**": "airflow/logs/dag_processor/{n}/dags-folder/daily.py.log",
    "superset/cache/**": "superset/cache/{n}",
    "log/airflow/**": "log/airflow/dag_id=daily/run_id={n}/task_id=silver/attempt=1.log",
}


def write(file: Path, at_s: float, content: bytes = b"x") -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
    os.utime(file, (at_s, at_s))


def counts(var: Path) -> Counter[str]:
    files = (str(file.relative_to(var)) for file in var.rglob("*") if file.is_file())
    return Counter(place.pattern for name in files if (place := place_of(name)) is not None)


def test_after_two_years_no_place_holds_more_than_after_one(tmp_path: Path) -> None:
    assert set(ADDED) == {place.pattern for place in PLACES if isinstance(place.rule, OlderThan | FoldersOlderThan)}
    after = {}
    # 450 days fill the longest rule. Every tenth day adds what a day adds; the command runs once a month.
    for day in range(STEP_DAYS, LAST_DAY + 1, STEP_DAYS):
        for name in ADDED.values():
            write(tmp_path / name.format(n=day), BEGIN_S + day * DAY_S)
        if day % 30 == 0:
            retain_files(tmp_path, BEGIN_S + day * DAY_S + 1)
        if day in (LAST_DAY // 2, LAST_DAY):
            after[day] = counts(tmp_path)
    assert after[LAST_DAY // 2] == after[LAST_DAY]
    for place in PLACES:
        if isinstance(place.rule, OlderThan | FoldersOlderThan):
            most = max(place.rule.days / STEP_DAYS + 1, place.rule.but_newest)
            assert 1 <= after[LAST_DAY][place.pattern] <= most, place.pattern
    oldest = {place.pattern: place.rule.days for place in PLACES if isinstance(place.rule, OlderThan | FoldersOlderThan)}
    for file in tmp_path.rglob("*"):
        if file.is_file() and (place := place_of(str(file.relative_to(tmp_path)))) is not None:
            days = (BEGIN_S + LAST_DAY * DAY_S + 1 - file.stat().st_mtime) / DAY_S
            assert days <= max(oldest[place.pattern] + 1, place.rule.but_newest * STEP_DAYS), file  # type: ignore[union-attr]
    assert len(list((tmp_path / "log/airflow/dag_id=daily").iterdir())) <= 4, "the folder of a run goes with its files"


def test_what_is_in_use_stays_whatever_its_age(tmp_path: Path) -> None:
    for n in range(6):
        write(tmp_path / f"models/a/candidates/{n}/full/als.npz", n)
        write(tmp_path / f"flink/checkpoints/{n}/job/chk-1/_metadata", n)
        write(tmp_path / f"digests/a/{n}-en.html", n)
    (tmp_path / "models/a/candidates/LATEST").write_text("0\n")
    retain_files(tmp_path, BEGIN_S)
    assert sorted(p.name for p in (tmp_path / "models/a/candidates").iterdir()) == ["0", "3", "4", "5", "LATEST"]
    assert [p.name for p in (tmp_path / "flink/checkpoints").iterdir()] == ["5"]
    assert len(list((tmp_path / "digests/a").iterdir())) == 4


def test_a_folder_in_which_something_is_written_is_not_old(tmp_path: Path) -> None:
    for run in range(30):
        write(tmp_path / f"runs/r{run}/silver.jsonl", 1)
        os.utime(tmp_path / f"runs/r{run}", (1, 1))
    write(tmp_path / "runs/r0/marts.jsonl", BEGIN_S - 1)
    os.utime(tmp_path / "runs/r0", (1, 1))
    retain_files(tmp_path, BEGIN_S)
    assert (tmp_path / "runs/r0/silver.jsonl").exists()
    assert len(list((tmp_path / "runs").iterdir())) == 20


def test_a_file_that_is_only_added_to_is_moved_aside_once_it_is_large(tmp_path: Path) -> None:
    place = place_of("features/dead_letter.jsonl")
    assert place is not None
    assert isinstance(place.rule, Rotated)
    mib = place.rule.mib
    dead = tmp_path / "features/dead_letter.jsonl"
    for _ in range(5):
        write(dead, BEGIN_S, b"")
        os.truncate(dead, mib * 2**20 + 1)
        retain_files(tmp_path, BEGIN_S)
    write(dead, BEGIN_S)
    retain_files(tmp_path, BEGIN_S)
    assert sorted(file.name for file in dead.parent.iterdir()) == ["dead_letter.jsonl", "dead_letter.jsonl.1"]


def test_a_dry_run_and_what_lies_behind_links_lose_nothing(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    write(outside / "4711.jsonl", 1)
    var = tmp_path / "var"
    write(var / "serving/decisions/2020-01-01/1.jsonl", 1)
    (var / "serving/decisions/linked").symlink_to(outside)
    (var / "log/airflow").mkdir(parents=True)
    (var / "log/airflow/latest").symlink_to(outside)
    [removal] = retain_files(var, BEGIN_S, dry_run=True)
    assert (removal.place.pattern, len(removal.entries), removal.bytes) == ("serving/decisions/*/*", 1, 1)
    assert (var / "serving/decisions/2020-01-01/1.jsonl").exists()
    retain_files(var, BEGIN_S)
    assert (outside / "4711.jsonl").exists()
    assert not (var / "serving/decisions/2020-01-01").exists()


def test_every_file_of_a_recorded_platform_has_a_place() -> None:
    names = (Path(__file__).parent / "platform_files.txt").read_text().splitlines()
    assert len(names) > 100
    assert [name for name in names if place_of(name) is None] == []
    assert place_of("somebody/forgot/this.log") is None


def test_what_a_part_bounds_itself_is_shown_by_a_test_that_exists() -> None:
    for place in PLACES:
        if isinstance(place.rule, PartKeeps):
            file, name = place.rule.shown_by.split("::")
            functions = {
                node.name
                for node in ast.walk(ast.parse((PROJECT_ROOT / file).read_text()))
                if isinstance(node, ast.FunctionDef)
            }
            assert name in functions, place.rule.shown_by


def test_every_topic_ends() -> None:
    assert {topic.name for topic in topics.ALL if int(topic.config.get("retention.ms", "-1")) <= 0} == set()


def test_every_log_of_a_part_is_rotated(tmp_path: Path) -> None:
    settings = Settings(_env_file=None, var=tmp_path / "var", envs=tmp_path / "envs")  # type: ignore[call-arg]
    paths = Paths.of(settings)
    from ops.airflow import write_secrets

    write_secrets(paths)
    text = write_configuration(paths, parts(settings, paths), {}).read_text()
    sections = re.split(r"^\[program:", text, flags=re.MULTILINE)[1:]
    assert len(sections) == len(parts(settings, paths))
    for section in sections:
        assert "stdout_logfile_maxbytes=20MB\nstdout_logfile_backups=2\n" in section


def test_the_newest_releases_stay(tmp_path: Path) -> None:
    for n in range(9):
        write(tmp_path / str(n) / "manifest.json", n)
        os.utime(tmp_path / str(n), (n, n))
    _drop_old(tmp_path, keep={"1"}, withdrawn=())
    assert sorted(folder.name for folder in tmp_path.iterdir()) == ["1", "5", "6", "7", "8"]
    assert len(list(tmp_path.iterdir())) == KEPT_RELEASES


def test_the_portals_rows_of_two_years_become_those_of_its_rule(tmp_path: Path) -> None:
    database, now = PortalDatabase(tmp_path / "portal.db"), datetime(2026, 12, 1, tzinfo=UTC)
    with database.transaction() as connection:
        connection.execute("insert into receivers values (1, 'a', 'email', 'a@b.c', 'en', 1, 1)")
        for day in range(800):
            at = int((now - timedelta(days=day)).timestamp())
            connection.execute(
                "insert into audit_log (at, shop_id, login, action, detail) values (?, 'a', 'p', 'saw', '{}')", [at]
            )
            connection.execute("insert into deliveries values ('a', ?, 1, ?, null, 0)", [f"alert:{day}", at])
            connection.execute(
                "insert into alerts (rule_id, shop_id, day, metric, value, low, high, at, is_held) "
                "values (1, 'a', ?, 'orders', 1, 2, 3, ?, 0)",
                [f"day {day}", at],
            )
            connection.execute("insert into failed_logins values ('s', ?)", [at])
            connection.execute("insert into links values (?, 'p', 'a', 'owner', ?)", [str(day), at])
    assert set(forget(database, now, 400, dry_run=True).values()) == {399}
    assert set(forget(database, now, 400).values()) == {399}
    assert set(forget(database, now, 400).values()) == {0}
    with database.reading() as connection:
        for table, _ in DATED:
            assert connection.execute(f"select count(*) from {table}").fetchone()[0] == 401
        assert connection.execute("select count(*) from receivers").fetchone()[0] == 1


def test_supersets_log_of_two_years_becomes_that_of_its_rule(tmp_path: Path) -> None:
    import shutil
    import sqlite3

    templates = sorted((PROJECT_ROOT / ".envs" / "templates").glob("superset-*.db"))
    if not templates:
        pytest.skip("no template of Superset's database; run scripts/setup")
    database, now = tmp_path / "superset.db", datetime(2026, 12, 1, tzinfo=UTC)
    shutil.copyfile(templates[-1], database)
    with sqlite3.connect(database) as connection:
        connection.execute("delete from logs")
        for day in range(800):
            connection.execute(
                "insert into logs (action, dttm) values ('log', ?)", [f"{now - timedelta(days=day):%Y-%m-%d %H:%M:%S.%f}"]
            )
    assert forget_views(database, now, 90, dry_run=True) == forget_views(database, now, 90) == 709
    assert forget_views(database, now, 90) == 0


def test_the_page_of_places_is_current() -> None:
    assert page.PAGE.read_text() == page.render(), "docs/operations/retention.md is out of date; run make docs"
