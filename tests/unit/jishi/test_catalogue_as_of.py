"""The catalogue as of any instant, from the log: by when it was so, and by when it was known."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from jishi.catalogue import catalogue_as_of
from jishi.contract.fields import parse_instant
from jishi.lake.reading import LakeVersion
from jishi.settings import get_settings
from jishi.tables import SILVER_EVENTS
from ops.cli import app
from tests.lake import newest, record

# (shop, item, price, occurred at, received at); the last two have one time, and the one that is known later holds
CHANGES = [
    ("a", "i-1", 100, "10:00", "10:00"),
    ("a", "i-1", 200, "12:00", "12:00"),
    ("a", "i-1", 150, "11:00", "13:00"),  # told two hours later
    ("a", "i-2", 700, "12:30", "12:31"),
    ("a", "i-2", 800, "12:30", "12:40"),
    ("b", "i-1", 999, "09:00", "09:00"),
]
# (as of, known by, prices of shop a)
EXPECTED = [
    ("09:59", None, {}),
    ("10:00", None, {"i-1": 100}),
    ("11:30", None, {"i-1": 150}),
    ("11:30", "12:59", {"i-1": 100}),
    ("12:30", None, {"i-1": 200, "i-2": 800}),
    ("12:30", "12:35", {"i-1": 200, "i-2": 700}),
]


def at(clock: str) -> datetime:
    return parse_instant(f"2026-09-01T{clock}:00Z")


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LakeVersion:
    monkeypatch.setenv("JISHI_VAR", str(tmp_path))
    get_settings.cache_clear()
    rows = []
    for number, (shop, item_id, price, occurred, received) in enumerate(CHANGES):
        properties = {
            "item_id": item_id,
            "title": "t",
            "category": "c",
            "unit_price_minor": price,
            "currency": "CNY",
            "stock": 1,
        }
        row: dict[str, Any] = dict.fromkeys(SILVER_EVENTS.columns)
        row |= {"shop_id": shop, "batch": "history", "event_id": f"e{number}", "type": "item_changed", "item_id": item_id}
        row |= {"occurred_at": at(occurred).replace(tzinfo=None), "received_at": at(received).replace(tzinfo=None)}
        rows.append(row | {"is_late": False, "line": json.dumps({"properties": properties})})
    record(tmp_path, {SILVER_EVENTS: rows})
    return newest(tmp_path)


@pytest.mark.parametrize(("as_of", "known_by", "prices"), EXPECTED)
def test_states(lake: LakeVersion, as_of: str, known_by: str | None, prices: dict[str, int]) -> None:
    result = catalogue_as_of(lake, "a", at(as_of), None if known_by is None else at(known_by))
    assert {item.item_id: item.properties["unit_price_minor"] for item in result} == prices


def test_the_command_prints_it(lake: LakeVersion) -> None:
    run = CliRunner().invoke(app, ["catalogue", "a", "--as-of", "2026-09-01T19:30:00+08:00", "--json"])
    assert [json.loads(line)["unit_price_minor"] for line in run.output.splitlines()] == [150]
    assert "1 items" in CliRunner().invoke(app, ["catalogue", "a", "--as-of", "2026-09-01T11:30:00Z"]).output
    assert CliRunner().invoke(app, ["catalogue", "a", "--as-of", "noon"]).exit_code == 2
