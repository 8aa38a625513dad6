"""Rows of the feature topic become what Feast itself would make of them."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from feast.types import Array, Float64, Int64, String
from feast.utils import _convert_arrow_fv_to_proto
from feast.value_type import ValueType

from feature_repo.definitions import streamed_views
from feature_repo.monotonic import epoch_us
from feature_repo.proto_rows import proto_row
from jishi.features import ENTITY_KEYS, Feature, views
from jishi.features.message import FeatureRow
from jishi.paths import Paths

ARROW = {
    String: pa.string(),
    Int64: pa.int64(),
    Float64: pa.float64(),
    Array(String): pa.list_(pa.string()),
    Array(Int64): pa.list_(pa.int64()),
}
SAMPLES: dict[str, Any] = {
    "string": '裙"装',
    "int64": 2**53 + 1,
    "double": 1 / 3,
    "list<string>": ["i-2", "项目😀"],
    "list<int64>": [3, 1],
}
AT = datetime(2026, 11, 24, 8, 0, 0, 123000, UTC)


def a_row(view: str, members: tuple[Feature, ...], *, is_empty: bool) -> FeatureRow:
    keys = {"shop_id": "lanting", **{key: f"{key} 1" for key in ENTITY_KEYS[members[0].entity]}}
    values = {f.name: None if is_empty and f.default is None else SAMPLES[f.value_type] for f in members}
    times = {"event_timestamp": AT, "created_timestamp": AT, "valid_until_ms": None if is_empty else 1, "log_offset": 7}
    return FeatureRow(view, 0, keys | times | values)


@pytest.mark.parametrize("view", list(views()))
@pytest.mark.parametrize("is_empty", [False, True])
def test_a_row_is_what_feast_makes_of_a_table(tmp_path: Path, view: str, is_empty: bool) -> None:
    [table] = [one for one in streamed_views(Paths(var=tmp_path, envs=tmp_path)) if one.name == view]
    row = a_row(view, views()[view], is_empty=is_empty)
    types = {field.name: ARROW[field.dtype] for field in table.features}
    types |= dict.fromkeys(("event_timestamp", "created_timestamp"), pa.timestamp("us", tz="UTC"))
    arrow = pa.table({name: pa.array([value], types.get(name, pa.string())) for name, value in row.columns.items()})
    keys = dict.fromkeys(("shop_id", *ENTITY_KEYS[views()[view][0].entity]), ValueType.STRING)
    [(key, values, event_at, created_at)] = _convert_arrow_fv_to_proto(arrow, table, keys)
    ours = proto_row(row, views()[view])
    assert dict(zip(ours[0].join_keys, ours[0].entity_values, strict=True)) == dict(
        zip(key.join_keys, key.entity_values, strict=True)
    )
    assert ours[1] == values
    for instant, of_feast in ((ours[2], event_at), (ours[3], created_at)):
        assert instant is not None
        assert of_feast is not None
        assert epoch_us(instant) == epoch_us(of_feast)
