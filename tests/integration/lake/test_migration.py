"""An old lake in folders becomes Iceberg tables once, whole, and a second run does no harm."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from jishi.arrow_tables import to_arrow, write_parquet
from jishi.lake.live import LiveTail
from jishi.lake.migration import LiveEventsThere, NothingToMigrate, migrate
from jishi.lake.query import open_lake
from jishi.lake.reading import open_version
from jishi.settings import Settings, get_settings
from jishi.tables import BRONZE_EVENTS, BRONZE_REPAIRS, TableSchema
from ops.cli import app

pytestmark = pytest.mark.integration
SQLITE = pytest.mark.parametrize("online_store", ["sqlite"], indirect=True)
NOON_MS = 1_790_000_000_000 // 86_400_000 * 86_400_000 + 43_200_000


def write_folder(var: Path, schema: TableSchema, parts: dict[str, list[dict[str, Any]]]) -> None:
    """A table in folders as the version before wrote it: rows by ``shop=…/batch=…``; ``old`` was published before."""
    root = var / "lake" / schema.name
    for version in ("old", "new"):
        for part, rows in parts.items():
            complete = [dict.fromkeys(schema.columns) | row for row in rows[: None if version == "new" else 0]]
            write_parquet(to_arrow(schema, complete), root / "versions" / version / part / "part-0.parquet")
    (root / "CURRENT").write_text("new\n")


def old_lake(var: Path) -> None:
    row = {"collector_id": "history:a", "shop_id": "a", "received_at_ms": NOON_MS, "line": "{}", "person_id": "x"}
    live = row | {"collector_id": "c", "log_partition": 0, "log_offset": 5}
    parts = {
        "shop=a/batch=history": [row | {"seq": 0, "user_id": "x"}, row | {"seq": 1, "anonymous_id": "x"}],
        "shop=b/batch=history": [row | {"seq": 0, "shop_id": "b", "collector_id": "history:b"}],
        "shop=a/batch=live-2026-09-21": [live | {"seq": 7, "user_id": "u", "anonymous_id": "x"}],
    }
    write_folder(var, BRONZE_EVENTS, parts)
    write_folder(var, BRONZE_REPAIRS, {"shop=a": [row | {"seq": 1, "user_id": "x", "is_repeated": False}]})


@SQLITE
def test_bronze_in_folders_becomes_tables(lake_settings: Settings) -> None:
    with pytest.raises(NothingToMigrate):
        migrate(lake_settings)
    old_lake(lake_settings.var)
    done = migrate(lake_settings)
    assert done.rows == {"bronze/events": 1, "bronze/history": 3, "bronze/repairs": 1}
    assert done.batches == {"history": ["a", "b"], "live-2026-09-21": ["a"]}
    with open_lake(open_version(lake_settings)) as lake:
        history = lake.execute(
            "select shop_id, seq, person_id, epoch_ms(received_at) from bronze_history order by 1, 2"
        ).fetchall()
        assert history == [("a", 0, "u:x", NOON_MS), ("a", 1, "a:x", NOON_MS), ("b", 0, None, NOON_MS)]
        assert lake.execute("select seq, person_id from bronze_repairs").fetchall() == [(1, "u:x")]
    columns = ("seq", "person_id", "log_offset")
    assert LiveTail(lake_settings).rows(columns).to_pylist() == [{"seq": 7, "person_id": "u:u", "log_offset": 5}]
    with pytest.raises(LiveEventsThere, match=r"has rows of a already"):
        migrate(lake_settings)
    assert LiveTail(lake_settings).count() == 1


def test_the_command_says_what_to_build_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JISHI_VAR", str(tmp_path))
    get_settings.cache_clear()
    old_lake(tmp_path)
    result = CliRunner().invoke(app, ["lake", "migrate"])
    assert result.exit_code == 0, result.output
    assert "silver --batch history\n  python -m spark_jobs silver --batch live-2026-09-21" in result.output
    assert CliRunner().invoke(app, ["lake", "migrate"]).exit_code == 2
