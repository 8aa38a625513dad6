"""An older state on disk is brought to the code that is here and back, and a kill at any write in between costs nothing."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from jishi.lake.catalog import open_catalog
from jishi.lake.going_back import PublishedSince
from jishi.lake.publishing import Replacement, publish
from jishi.lake.query import open_lake
from jishi.lake.reading import open_version
from jishi.lake.rows import Rows
from jishi.paths import Paths
from jishi.settings import Settings, get_settings
from jishi.tables import BRONZE_HISTORY, SILVER_ORDERS
from ops import formats
from ops.cli import app
from ops.formats import FormatChange, Noted, WrongFormat, require_current
from ops.upgrade.run import plan, roll_back, upgrade
from tests.integration.lake.killed_publishes import die_at, run_killed, settings_of
from tests.lake import settings_in, table_of
from tests.lake_in_folders import old_lake

pytestmark = pytest.mark.integration
NOW = datetime(2026, 12, 1, tzinfo=UTC)
NEWEST = list(SILVER_ORDERS.columns)[-1]
# As an older declaration had it: without its last column.
OLD_ORDERS = replace(SILVER_ORDERS, columns={name: kind for name, kind in SILVER_ORDERS.columns.items() if name != NEWEST})
HISTORY = [("a", 0, "u:x"), ("a", 1, "a:x"), ("b", 0, None)]


def old_state(var: Path) -> Settings:
    """A lake in folders, and a table of orders that lacks a column and has rows."""
    settings: Settings = settings_in(var)
    old_lake(var)
    rows = table_of(OLD_ORDERS, [{"shop_id": "a", "order_id": f"o{n}", "paid_minor": n} for n in range(3)])
    publish(settings, "silver", lambda base: [Replacement(OLD_ORDERS, Rows.of(shop_id=["a"]), rows)])
    return settings


def orders(settings: Settings) -> list[tuple[Any, ...]]:
    with open_lake(open_version(settings)) as lake:
        return lake.execute("select order_id, paid_minor from silver_orders order by 1").fetchall()


def history(settings: Settings) -> list[tuple[Any, ...]]:
    version = open_version(settings)
    if not version.has(BRONZE_HISTORY.name):
        return []
    with open_lake(version) as lake:
        return lake.execute("select shop_id, seq, person_id from bronze_history order by 1, 2").fetchall()


def quiet(line: str) -> None:
    """Say nothing."""


def test_an_older_state_goes_forward_and_back_and_forward_again(tmp_path: Path) -> None:
    settings = old_state(tmp_path)
    before = orders(settings)
    assert plan(settings) == [
        "lake 1 to 2: bronze in folders into Iceberg tables",
        f"new column silver.orders.{NEWEST}, null in the rows that are there",
    ]
    with pytest.raises(WrongFormat, match=r"lake 1 \(this code: 2\); run: jishi upgrade"):
        require_current(settings)
    for _ in range(2):
        upgrade(settings, NOW, quiet)
        assert (history(settings), orders(settings)) == (HISTORY, before)
        assert NEWEST in {field.name for field in open_catalog(settings).load_table("silver.orders").schema().fields}
        assert plan(settings) == ["the state on disk is that of this code"]
        require_current(settings)
        [change] = roll_back(settings, quiet)
        assert (change.part, change.to) == ("lake", 2)
        assert (history(settings), orders(settings)) == ([], before)
        with pytest.raises(WrongFormat, match="jishi upgrade"):
            require_current(settings)
    upgrade(settings, NOW, quiet)
    assert history(settings) == HISTORY
    # The older code finds what it left.
    assert (tmp_path / "lake" / "bronze" / "events" / "CURRENT").read_text() == "new\n"


def test_what_others_have_built_on_is_not_taken_back(tmp_path: Path) -> None:
    settings = old_state(tmp_path)
    upgrade(settings, NOW, quiet)
    rows = table_of(BRONZE_HISTORY, [{"shop_id": "c", "seq": 0}])
    publish(settings, "an import", lambda base: [Replacement(BRONZE_HISTORY, Rows.of(shop_id=["c"]), rows)])
    before = history(settings)
    with pytest.raises(PublishedSince, match=r"bronze/history: version \d \(an import\)"):
        roll_back(settings, quiet)
    assert history(settings) == before


def test_a_rollback_takes_back_the_newest_upgrade_alone(tmp_path: Path) -> None:
    settings = old_state(tmp_path)
    upgrade(settings, NOW, quiet)
    upgrade(settings, NOW + timedelta(days=1), quiet)  # of code that changes nothing on disk
    assert roll_back(settings, quiet) == []
    assert (history(settings), plan(settings)) == (HISTORY, ["the state on disk is that of this code"])


def test_a_state_of_newer_code_is_refused_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = settings_in(tmp_path)
    require_current(settings)
    noted = Noted.of(settings)
    noted.formats |= {"portal": 7, "a new part": 1}
    noted.done.append(FormatChange("portal", 7, "later", 1))
    noted.write(settings)
    file = Paths.of(settings).formats
    content = json.loads(file.read_text())
    content["done"][0]["a new field"] = content["a new field"] = 1
    file.write_text(json.dumps(content))
    named = r"a new part 1 \(this code: none\), portal 7 \(this code: 1\)"
    for refused in (require_current, plan, lambda each: upgrade(each, NOW, quiet), lambda each: roll_back(each, quiet)):
        with pytest.raises(WrongFormat, match=named):
            refused(settings)
    monkeypatch.setenv("JISHI_VAR", str(tmp_path))
    get_settings.cache_clear()
    for command in (["up"], ["upgrade"], ["upgrade", "--dry-run"], ["upgrade", "--rollback"]):
        result = CliRunner().invoke(app, command)
        assert result.exit_code == 1
        assert "was written by newer code" in result.output


def test_a_new_format_begins_without_a_migration_where_nothing_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_in(tmp_path)
    require_current(settings)
    monkeypatch.setattr(formats, "FORMATS", formats.FORMATS | {"a new part": 1})
    require_current(settings)
    assert Noted.of(settings).formats["a new part"] == 1


def upgrade_in(var: str) -> None:
    upgrade(settings_of(var), NOW, quiet)


def roll_back_in(var: str) -> None:
    roll_back(settings_of(var), quiet)


def test_killed_at_any_write_it_goes_on_and_readers_see_old_or_new(tmp_path: Path) -> None:
    settings = old_state(tmp_path)
    for work, wanted in ((upgrade_in, HISTORY), (roll_back_in, [])):
        place = killed = 0
        while run_killed(die_at, place, work, str(tmp_path)) != 0:
            assert history(settings) in ([], HISTORY)
            assert len(orders(settings)) == 3
            killed += 1
            place += 3
        assert killed > 3
        assert history(settings) == wanted
    upgrade(settings, NOW, quiet)
    assert history(settings) == HISTORY
