"""The page of rejected rows reads what ``jishi quarantine list`` lists, in process and within bounds."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from dashboard.portal.published_marts import TooSlow
from dashboard.portal.quarantine import MOST_ROWS, Quarantine
from jishi.lake.quarantine import ReadBounds, ReadingStopped, open_quarantine
from jishi.settings import Settings, get_settings
from jishi.tables import BRONZE_REPAIRS, SILVER_QUARANTINE
from ops.cli import app
from tests.lake import publish, settings_in
from tests.live_events import append_live

NOON = datetime(2026, 11, 29, 12, tzinfo=UTC).replace(tzinfo=None)  # as the lake writes instants
EPOCH = datetime.fromtimestamp(0, UTC).replace(tzinfo=None)


def built(seq: int, shop_id: str = "a", **changes: Any) -> dict[str, Any]:
    """A row of silver's quarantine; a greater ``seq`` came later."""
    facts = {"batch": "history", "outcome": "invalid", "reason": "missing_field", "field": "properties.item_id", "detail": "d"}
    came = {"received_at": NOON + timedelta(seconds=seq), "line": json.dumps({"seq": seq, "shop": shop_id})}
    return (
        {"shop_id": shop_id, "collector_id": "c", "seq": seq, "type": "item_viewed", "event_id": f"e{seq}"}
        | facts
        | came
        | changes
    )


def live(seq: int, shop_id: str = "a", **changes: Any) -> dict[str, Any]:
    """A row that the stream committed an hour later."""
    received_ms = int((NOON + timedelta(hours=1, seconds=seq) - EPOCH).total_seconds() * 1000)
    row = {
        "shop_id": shop_id,
        "collector_id": "l",
        "seq": seq,
        "received_at_ms": received_ms,
        "outcome": "future",
        "line": "{}",
    }
    return row | {"log_partition": 0, "event_id": f"l{seq}"} | changes


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Two shops: more than a page of built rows, one of which waits for its repair; live ones, sent again, good, worked up."""
    rows = [built(seq) for seq in range(MOST_ROWS + 20)] + [built(900 + seq, "b") for seq in range(5)]
    rows.append(
        built(3, collector_id="l", event_id="l3", reason="future", outcome="future", received_at=NOON + timedelta(hours=2))
    )
    repair = {
        "shop_id": "a",
        "collector_id": "c",
        "seq": MOST_ROWS + 19,
        "mapping": "sku",
        "event_id": "e",
        "repaired_at": NOON,
    }
    publish(tmp_path, {SILVER_QUARANTINE: rows, BRONZE_REPAIRS: [repair]})
    of_test = settings_in(tmp_path)
    append_live(of_test, [live(1), live(2, outcome="good"), live(1), live(3), live(4, "b"), live(5, line="no JSON")])
    return of_test


def test_the_rows_are_those_of_the_command(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = Quarantine(settings).rows("a")
    newest = [("l", 3), ("l", 5), ("l", 1), *[("c", seq) for seq in range(MOST_ROWS + 19, 22, -1)]]
    assert [(row.collector_id, row.seq) for row in rows] == newest
    assert len(rows) == MOST_ROWS
    assert [row.state for row in rows[2:5]] == ["open", "waiting", "open"]
    monkeypatch.setenv("JISHI_VAR", str(settings.var))
    get_settings.cache_clear()
    try:
        printed = CliRunner().invoke(app, ["quarantine", "list", "--shop", "a", "--json", f"--limit={MOST_ROWS}"]).stdout
        everything = CliRunner().invoke(app, ["quarantine", "list", "--json", "--limit=1000"]).stdout
    finally:
        get_settings.cache_clear()
    columns = ("shop_id", "collector_id", "seq", "batch", "reason", "field", "detail", "event_id", "line", "mapping", "state")
    of_page = [{name: getattr(row, name) for name in columns} | {"received_at": f"{row.received_at}"} for row in rows]
    assert [{name: row[name] for name in (*columns, "received_at")} for row in json.loads(printed)] == of_page
    # Read without a shop, and so by another way, the command lists the same.
    assert [row for row in json.loads(everything) if row["shop_id"] == "a"][:MOST_ROWS] == json.loads(printed)
    assert {row.shop_id for row in Quarantine(settings).rows("b")} == {"b"}
    assert Quarantine(settings).rows("nobody") == []


def test_a_reading_ends_at_its_bounds(settings: Settings) -> None:
    append_live(settings, [live(seq, line=f"{seq:>2000}") for seq in range(10, 12_000)])
    with pytest.raises(TooSlow, match="stopped"):
        Quarantine(settings, ReadBounds(60, "12MB", 1)).rows("a")
    assert len(Quarantine(settings).rows("a")) == MOST_ROWS
    with (
        pytest.raises(ReadingStopped),
        open_quarantine(settings, bounds=ReadBounds(0.2, "512MB", 1)) as lake,
    ):
        lake.execute("select count(*) from range(10000000000) as a cross join range(10) as b").fetchall()


def test_a_lake_without_rows_has_nothing_rejected(tmp_path: Path) -> None:
    assert Quarantine(settings_in(tmp_path)).rows("a") == []
