"""The bot label: a truth table of visits on both sides of each limit."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from jishi.lake.reading import LakeVersion
from jishi.settings import get_settings
from jishi.tables import SILVER_SESSIONS
from ops.cli import app
from quality.bots import bot_labels
from tests.lake import newest, record

START = datetime(2026, 9, 1, 10)  # noqa: DTZ001 - silver keeps UTC without a zone
# (person, views, seconds, adds, checkouts, orders, labelled)
VISITS = [
    ("fast", 30, 60, 0, 0, 0, True),  # exactly two seconds a view
    ("all at once", 100, 0, 0, 0, 0, True),
    ("slower", 30, 61, 0, 0, 0, False),
    ("short", 29, 10, 0, 0, 0, False),
    ("puts into the cart", 200, 60, 1, 0, 0, False),
    ("checks out", 200, 60, 0, 1, 0, False),
    ("buys", 200, 60, 0, 0, 1, False),
    ("no view at all", 0, 0, 0, 0, 0, False),
]


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LakeVersion:
    monkeypatch.setenv("JISHI_VAR", str(tmp_path))
    get_settings.cache_clear()
    rows = []
    for shop in ("a", "b"):
        for person, views, seconds, adds, checkouts, orders, _ in VISITS:
            counts = {"views": views, "adds": adds, "checkouts": checkouts, "orders": orders, "events": views}
            row: dict[str, Any] = dict.fromkeys(SILVER_SESSIONS.columns) | counts
            row |= {"shop_id": shop, "session_key": person, "person_id": person}
            rows.append(row | {"started_at": START, "ended_at": START + timedelta(seconds=seconds)})
    record(tmp_path, {SILVER_SESSIONS: rows})
    return newest(tmp_path)


def test_who_is_labelled(lake: LakeVersion) -> None:
    wanted = {person for person, *_, is_labelled in VISITS if is_labelled}
    result = bot_labels(lake, "a")
    assert {label.person_id for label in result} == wanted
    assert {(label.shop_id, label.reason) for label in result} == {("a", "views_too_fast")}
    assert next(label for label in result if label.person_id == "fast").s_per_view == 2.0
    assert len(bot_labels(lake)) == 2 * len(wanted)


def test_the_command_lists_them(lake: LakeVersion) -> None:
    payload = json.loads(CliRunner().invoke(app, ["bots", "--shop", "b", "--json"]).output)
    assert [label["person_id"] for label in payload] == ["all at once", "fast"]
    assert "4 persons labelled" in CliRunner().invoke(app, ["bots"], env={"COLUMNS": "150"}).output
