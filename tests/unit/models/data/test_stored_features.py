"""Features of past requests come from the lake as they were known then; an instant is seen as its age."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from jishi.features.columns import CREATED_TIMESTAMP, EVENT_TIMESTAMP
from jishi.features.daily import DAILY
from jishi.tables import TableSchema
from models.data.stored_features import PERSON_VIEWS, StoredFeatures, names_of
from models.ranking.request_columns import STORED_OF_PERSON, _with_ages, is_instant
from tests.lake import newest, record

MIDNIGHT = datetime(2026, 9, 10)  # noqa: DTZ001 (the lake keeps UTC instants without a zone)
DAY_MS, ORDERED_MS = 86_400_000, 1_789_103_957_768


def ms(at: datetime) -> int:
    return round((at - datetime(1970, 1, 1)).total_seconds() * 1000)  # noqa: DTZ001


def test_a_person_at_three_instants(tmp_path: Path) -> None:
    [table] = [table for table in DAILY if table.view == "person_daily"]
    values = {"orders_30d": 2, "units_30d": 3, "spent_minor_30d": 59_900, "views_30d": 40, "last_order_at_ms": ORDERED_MS}
    known_at = MIDNIGHT + timedelta(hours=1)
    row = {"shop_id": "a", "person_id": "u:1", EVENT_TIMESTAMP: MIDNIGHT, CREATED_TIMESTAMP: known_at} | values
    times = dict.fromkeys((EVENT_TIMESTAMP, CREATED_TIMESTAMP), "instant")
    columns = {"shop_id": "string", "person_id": "string"} | times | table.columns
    schema = TableSchema(table.name, table.meaning, ("shop_id", "person_id", EVENT_TIMESTAMP), columns)
    record(tmp_path, {schema: [row, row | {"shop_id": "b", "orders_30d": 9}]})
    features = StoredFeatures(newest(tmp_path), "a", ms(MIDNIGHT))
    asked_ms = np.array([ms(known_at) - 1, ms(known_at), ms(MIDNIGHT) + 7 * DAY_MS])
    seen = features.at(("person_daily",), ["u:1"] * 3, asked_ms)
    assert np.isnan(seen[[0, 2]]).all()  # not known yet; too old
    assert seen[1, :4].tolist() == [2, 3, 59_900, 40]
    assert "person_daily__since_last_order_s" in names_of(PERSON_VIEWS)
    every = np.full((1, len(STORED_OF_PERSON)), np.nan, dtype=np.float32)
    every[:, :5] = seen[1]
    aged = _with_ages(every, is_instant(PERSON_VIEWS), asked_ms[1:2])
    place = STORED_OF_PERSON.index("person_daily__since_last_order_s")
    assert aged[0, place] == pytest.approx((asked_ms[1] - ORDERED_MS) / 1000, abs=140)  # float32 keeps two minutes
    assert np.array_equal(np.delete(aged, place, axis=1), np.delete(every, place, axis=1), equal_nan=True)


def test_a_digest_is_of_the_shops_rows_before_the_instant(tmp_path: Path) -> None:
    [table] = [table for table in DAILY if table.view == "person_daily"]
    values = {"orders_30d": 2, "units_30d": 3, "spent_minor_30d": 59_900, "views_30d": 40, "last_order_at_ms": ORDERED_MS}
    row = {"shop_id": "a", "person_id": "u:1", EVENT_TIMESTAMP: MIDNIGHT, CREATED_TIMESTAMP: MIDNIGHT} | values
    times = dict.fromkeys((EVENT_TIMESTAMP, CREATED_TIMESTAMP), "instant")
    columns = {"shop_id": "string", "person_id": "string"} | times | table.columns
    schema = TableSchema(table.name, table.meaning, ("shop_id", "person_id", EVENT_TIMESTAMP), columns)
    later = {EVENT_TIMESTAMP: MIDNIGHT + timedelta(days=1), CREATED_TIMESTAMP: MIDNIGHT + timedelta(days=1)}
    digests = []
    for number, rows in enumerate(
        (
            [],
            [row],
            [row, row | {"shop_id": "b"}],
            [row, row | later],
            [row | {"orders_30d": 3}],
            [row, row | {"person_id": "u:2"}],
        )
    ):
        if rows:
            record(tmp_path / str(number), {schema: rows})
        features = StoredFeatures(newest(tmp_path / str(number)), "a", ms(MIDNIGHT))
        digests.append(features.digest(ms(MIDNIGHT) + DAY_MS))
    nothing, one, with_another_shop, with_later, changed, with_another_person = digests
    assert one == with_another_shop == with_later
    assert len({nothing, one, changed, with_another_person}) == 4
