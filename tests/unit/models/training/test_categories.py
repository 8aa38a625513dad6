"""The category of an item at a cut is the one that was known then: a ranker that is judged must not see a later one."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from jishi.tables import SILVER_EVENTS, SILVER_ITEMS
from models.training.request_rankers import categories_of
from tests.lake import newest, record

CUT = datetime(2026, 9, 20)  # noqa: DTZ001 (the lake keeps UTC instants without a zone)
STATES = [  # item, category, days after the cut when it changed, was known, was repaired
    ("moved", "tea", -9, -9, None),
    ("moved", "sale", 1, 1, None),
    ("late", "tea", -9, -9, None),
    ("late", "sale", -1, 1, None),
    ("repaired", "tea", -9, -9, None),
    ("repaired", "sale", -1, -1, 1),
    ("at the cut", "tea", -9, -9, None),
    ("at the cut", "sale", 0, 0, None),
    ("imported", "sale", 5, 5, None),
    ("imported", "tea", 3, 3, None),
]


def test_categories_are_those_that_were_known(tmp_path: Path) -> None:
    rows = list[dict[str, Any]]()
    for item_id, category, changed, known, repaired in STATES:
        line = orjson.dumps({"properties": {"category": category}}).decode()
        row: dict[str, Any] = {
            "shop_id": "a",
            "event_id": f"e{len(rows)}",
            "type": "item_changed",
            "item_id": item_id,
            "line": line,
        }
        row |= {"occurred_at": CUT + timedelta(days=changed), "received_at": CUT + timedelta(days=known)}
        rows.append(row | {"repaired_at": None if repaired is None else CUT + timedelta(days=repaired)})
    items = [*dict.fromkeys(row["item_id"] for row in rows), "of no event"]
    record(
        tmp_path,
        {
            SILVER_EVENTS: [*rows, {**rows[0], "shop_id": "b"}, {**rows[0], "item_id": "of no event", "line": None}],
            SILVER_ITEMS: [{"shop_id": "a", "item_id": item_id, "category": "sale"} for item_id in items],
        },
    )
    lake = newest(tmp_path)
    assert categories_of(lake, "a") == dict.fromkeys(items, "sale")
    then = categories_of(lake, "a", np.datetime64(CUT, "us"))
    assert {item_id for item_id, category in then.items() if category == "sale"} == {"at the cut", "of no event"}
    assert then.keys() == set(items)
    assert categories_of(lake, "c", np.datetime64(CUT, "us")) == {}
