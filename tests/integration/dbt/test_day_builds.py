"""Builds that continue the last one give the rows of a full build, whatever silver says anew; one that dies costs nothing.

The full build is what dbt compiled for the first one, run in memory on the rows of the newer silver.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from jishi import tables
from jishi.customer_rules import CustomerRules
from jishi.paths import Paths
from jishi.shops import Shops
from jishi.tables import TableSchema
from ops import marts
from ops.dbt_process import RunDbt, started_dbt
from ops.marts_file import PUBLISHED
from tests.integration.dbt import day_changes
from tests.integration.dbt.conftest import DAYS, START, Rows, Silver, make_paths
from tests.integration.dbt.day_changes import REACHING_BACK, AllRows, copied, known_by
from tests.integration.dbt.rebuilt import Project
from tests.lake import newest, publish, settings_in

pytestmark = pytest.mark.integration


@contextmanager
def dbt_without_tests(environment: dict[str, str], when_read: Callable[[], object]) -> Iterator[RunDbt]:
    """The models alone: what dbt tests is tested elsewhere."""
    with started_dbt(environment, when_read) as run:
        yield lambda arguments: run([*arguments[: arguments.index("build")], "run"])


@dataclass
class DayByDay:
    """A platform whose marts are built again and again; ``full`` holds the SQL of its first, full build."""

    paths: Paths
    rows: AllRows = field(default_factory=dict)
    full: Path = Path()

    def build(self, rows: AllRows) -> list[str]:
        """Publish the tables that are others than before, build, and return what the build said."""
        changed: Mapping[TableSchema, Rows] = {name: table for name, table in rows.items() if table != self.rows.get(name)}
        if changed:
            publish(self.paths.var, changed)
        self.rows = rows
        lines: list[str] = []
        marts.build(settings_in(self.paths.var), lines.append)
        return lines

    def keep_full(self) -> None:
        """Keep the SQL that dbt compiled for a full build."""
        self.full = self.paths.var / "full"
        shutil.copytree(self.paths.warehouse / "target", self.full / "target")

    def different(self) -> list[str]:
        """Models, and published marts, whose rows are not those of a full build."""
        work = marts.work_database(self.paths)
        link = self.full / "build.duckdb"
        link.unlink(missing_ok=True)
        link.symlink_to(work)
        project, published = Project.read(self.full), newest(self.paths.var).marts
        names = [node["name"] for node in project.models]
        assert published is not None
        assert set(PUBLISHED) <= set(names)
        with (
            project.built() as whole,
            duckdb.connect(str(work), read_only=True) as working,
            duckdb.connect(str(published), read_only=True) as file,
        ):
            expected = {name: sorted_rows(whole, name, working) for name in names}
            different = [name for name in names if sorted_rows(working, name, working) != expected[name]]
            return different + [f"published {n}" for n in PUBLISHED if sorted_rows(file, n, working) != expected[n]]


def sorted_rows(connection: duckdb.DuckDBPyConnection, name: str, described: duckdb.DuckDBPyConnection) -> list[Any]:
    """All rows in an order of their own, columns in that of ``described``."""
    columns = ", ".join(f'"{column}"' for column, *_ in described.execute(f"describe {name}").fetchall())
    return connection.execute(f"select {columns} from {name} order by all").fetchall()


@pytest.fixture(scope="module")
def platform(silver: Silver, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DayByDay]:
    """All but the last two days, built fully."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(marts, "started_dbt", dbt_without_tests)
        day_by_day = DayByDay(make_paths(tmp_path_factory.mktemp("days")))
        lines = day_by_day.build(known_by(silver.rows, START + timedelta(days=DAYS - 2)))
        assert lines[0].startswith("full build: no finished build is there to continue")
        day_by_day.keep_full()
        yield day_by_day


def test_a_day_and_what_came_late_give_the_rows_of_a_full_build(
    platform: DayByDay, silver: Silver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(marts, "started_dbt", started_dbt)  # with dbt's tests, which look at what was rewritten
    lines = platform.build(known_by(silver.rows, START + timedelta(days=DAYS + 60)))
    assert lines[0].startswith("continues version")
    with duckdb.connect(str(marts.work_database(platform.paths)), read_only=True) as working:
        [(touched, visited)] = working.execute(
            "select (select count(*) from touched.days), (select count(distinct (shop_id, started_date)) from fct_sessions)"
        ).fetchall()
    assert 0 < touched < visited / 2
    assert platform.different() == []


def test_what_reaches_back_gives_the_rows_of_a_full_build(platform: DayByDay) -> None:
    rows = copied(platform.rows)
    for change in REACHING_BACK:
        change(rows)
    assert platform.build(rows)[0].startswith("continues version")
    assert platform.different() == []


def test_a_link_of_another_sharer_touches_who_came_by_it_and_an_older_view_the_items_since(platform: DayByDay) -> None:
    rows = copied(platform.rows)
    with duckdb.connect(str(marts.work_database(platform.paths)), read_only=True) as working:
        unknown = "select count(*) from fct_item_days where views is null"
        assert working.execute(unknown).fetchall() != [(0,)]
    rows[tables.SILVER_EVENTS].append(day_changes.event_of("b", "p3", START - timedelta(days=8), "older-view"))
    shared = {"type": "item_shared", "share_id": "h1", "item_id": "i1"}
    rows[tables.SILVER_EVENTS].append(day_changes.event_of("b", "p2", START + timedelta(hours=1), "first-share", **shared))
    assert platform.build(rows)[0].startswith("continues version")
    assert platform.different() == []


def test_changed_items_and_fits_give_the_rows_of_a_full_build(platform: DayByDay) -> None:
    rows = copied(platform.rows)
    day_changes.catalogue_changes(rows)
    day_changes.channels_are_fitted_anew(rows)
    lines = platform.build(rows)
    assert lines[0].startswith("continues version")
    assert "touch 0 persons" in lines[0]
    assert platform.different() == []


def test_a_shop_with_other_settings_or_rates_is_wholly_anew_and_named(platform: DayByDay) -> None:
    with Shops.edit(platform.paths.shops_file) as shops:
        shops.shops["b"] = shops.get("b").model_copy(update={"time_zone": "Asia/Tokyo"})
    rows = copied(platform.rows)
    late = day_changes.event_of("a", "p1", START + timedelta(days=3), "late")
    rows[tables.SILVER_EVENTS].append(late)
    lines = platform.build(rows)
    assert lines[0].startswith("continues version")
    assert "wholly anew, for their settings or rates: b" in lines[0]
    assert platform.different() == []
    rows = copied(rows)
    day_changes.rates_change(rows)
    with Shops.edit(platform.paths.shops_file) as shops:
        shops.set_customer_rules("b", CustomerRules(exclusions=(), active_days=5, silent_days=9, asleep_days=12))
    lines = platform.build(rows)
    assert "wholly anew, for their settings or rates: a, b" in lines[0]
    assert platform.different() == []


def test_a_build_that_dies_leaves_readers_alone_and_the_next_gives_the_same_rows(
    platform: DayByDay, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = newest(platform.paths.var)
    rows = copied(platform.rows)
    for n in range(3):
        rows[tables.SILVER_EVENTS].append(day_changes.event_of("a", "p3", START + timedelta(days=n), f"later-{n}"))

    @contextmanager
    def dies(environment: dict[str, str], when_read: Callable[[], object]) -> Iterator[RunDbt]:
        def half(arguments: list[str]) -> Any:
            done = run([*arguments[: arguments.index("build")], "run", "--select", "+fct_visit_days"])
            assert done.returncode == 0, done.stdout
            raise KeyboardInterrupt

        with started_dbt(environment, when_read) as run:
            yield half

    with monkeypatch.context() as patch:
        patch.setattr(marts, "started_dbt", dies)
        with pytest.raises(KeyboardInterrupt):
            platform.build(rows)
    assert newest(platform.paths.var).marts == before.marts
    assert before.marts is not None
    assert before.marts.exists()
    lines = platform.build(rows)
    assert lines[0].startswith("full build: no finished build is there to continue")
    assert platform.different() == []


def test_a_publication_that_dies_costs_the_next_one_no_rows(platform: DayByDay, monkeypatch: pytest.MonkeyPatch) -> None:
    def dies(*_: Any, **__: Any) -> Any:
        raise KeyboardInterrupt

    before, rows = newest(platform.paths.var), copied(platform.rows)
    rows[tables.SILVER_EVENTS].append(day_changes.event_of("a", "p1", START + timedelta(days=2), "unpublished"))
    with monkeypatch.context() as patch:
        patch.setattr(marts, "publish_marts", dies)
        with pytest.raises(KeyboardInterrupt):
            platform.build(rows)
    assert newest(platform.paths.var).marts == before.marts
    lines = platform.build(rows)
    assert lines[0].startswith("continues version")
    assert platform.different() == []
