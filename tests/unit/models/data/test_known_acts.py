"""A repaired act counts from its repair: a model of a cut before it learns nothing of it."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from jishi.lake.query import open_lake
from jishi.lake.reading import LakeVersion
from jishi.tables import SILVER_EVENTS, SILVER_INTERACTIONS, SILVER_ITEMS
from models.data.evaluation_acts import describe
from models.data.interactions import read_interactions, with_persons_then
from models.data.persons_at_cut import persons_then
from serving.past_catalogue import PastCatalogue
from tests.lake import newest, record

CUT = datetime(2026, 9, 10)  # noqa: DTZ001 - UTC, as the lake keeps it
HOUR = timedelta(hours=1)


def event(event_id: str, **columns: Any) -> dict[str, Any]:
    at = {"occurred_at": CUT - 9 * HOUR, "received_at": CUT - 8 * HOUR}
    ids = {"anonymous_id": "d", "user_id": None, "person_id": "u:x"}
    return {"shop_id": "a", "event_id": event_id, "type": "item_viewed", "item_id": "i"} | at | ids | columns


def act(row: dict[str, Any]) -> dict[str, Any]:
    kept = ("shop_id", "event_id", "item_id", "person_id", "occurred_at", "received_at")
    return {name: row[name] for name in kept} | {"kind": "view", "line_number": 0, "quantity": 1}


def published(var: Path, *rows: dict[str, Any]) -> LakeVersion:
    items = [{"shop_id": "a", "item_id": "i", "title": "i", "category": "c", "unit_price_minor": 1, "currency": "CNY"}]
    # Of another shop an event of the same name, which was repaired long after.
    other = event("plain", repaired_at=CUT + 99 * HOUR) | {"shop_id": "b"}
    record(var, {SILVER_EVENTS: [*rows, other], SILVER_INTERACTIONS: [act(row) for row in rows], SILVER_ITEMS: items})
    return newest(var)


def test_an_act_that_was_repaired_after_a_cut_was_not_known_at_it(tmp_path: Path) -> None:
    rows = [event("plain"), event("before", repaired_at=CUT - HOUR), event("at", repaired_at=CUT)]
    lake = published(tmp_path, *rows)
    known_at = read_interactions(lake, "a").known_at
    assert sorted(known_at.tolist()) == [CUT - 8 * HOUR, CUT - HOUR, CUT]
    with open_lake(lake) as connection:
        assert (describe(connection, "a", CUT).count, describe(connection, "a").count) == (2, 3)


def test_a_login_that_was_repaired_after_a_cut_joins_nobody_before_it(tmp_path: Path) -> None:
    login = event("login", user_id="x", repaired_at=CUT + HOUR)
    lake = published(tmp_path, event("plain"), login)
    with open_lake(lake) as connection:
        assert persons_then(connection, "a", CUT) == {"plain": "a:d"}
        assert persons_then(connection, "a", CUT + 2 * HOUR) == {}
    then = with_persons_then(lake, "a", read_interactions(lake, "a"), np.datetime64(CUT))
    is_known = then.known_at < np.datetime64(CUT)
    assert then.person_ids[then.person].tolist() == ["a:d" if known else "u:x" for known in is_known.tolist()]
    assert is_known.sum() == 1


def test_an_item_may_be_sold_in_a_replay_since_its_first_act_was_known(tmp_path: Path) -> None:
    lake = published(tmp_path, event("repaired", repaired_at=CUT + HOUR))
    assert "i" not in PastCatalogue.read(lake, "a", np.datetime64(CUT, "us")).catalogue.items
    assert "i" in PastCatalogue.read(lake, "a", np.datetime64(CUT + 2 * HOUR, "us")).catalogue.items
