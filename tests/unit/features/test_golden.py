"""What the oracle says of the golden logs stays what was reviewed."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from jishi.features import FEATURES
from jishi.features.event_log import read_log
from jishi.features.oracle import good_acts, values

GOLDEN = Path(__file__).parent.parent.parent / "golden" / "features"
CASES = sorted(folder.name for folder in GOLDEN.iterdir() if folder.is_dir())


def spans(folder: Path) -> Iterator[dict[str, Any]]:
    acts = good_acts(read_log(folder), allowed_lateness_s=30, future_tolerance_s=5)
    grouped: dict[tuple[str, str, str], list[list[Any]]] = {}
    for value in sorted(
        values(FEATURES, acts, allowed_lateness_s=30), key=lambda v: (v.feature, v.shop_id, v.entity_id, v.as_of_ms)
    ):
        of_key = grouped.setdefault((value.feature, value.shop_id, value.entity_id), [])
        begins, ends = instant(value.as_of_ms), instant(value.valid_until_ms)
        if of_key and of_key[-1][1] == begins and of_key[-1][2] == value.value:
            of_key[-1][1] = ends
        else:
            of_key.append([begins, ends, value.value])
    for (feature, shop_id, entity_id), entry in grouped.items():
        yield {"feature": feature, "shop_id": shop_id, "entity_id": entity_id, "spans": entry}


def instant(ms: int | None) -> str | None:
    return None if ms is None else datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds")[:-6]


@pytest.mark.parametrize("case", CASES)
def test_values_are_those_that_were_reviewed(case: str) -> None:
    rows = [json.dumps(row, ensure_ascii=False) for row in spans(GOLDEN / case)]
    file = GOLDEN / case / "expect.jsonl"
    if os.environ.get("JISHI_ACCEPT_GOLDEN"):
        file.write_text("\n".join(rows) + "\n", encoding="utf-8")
    assert rows == file.read_text(encoding="utf-8").split("\n")[:-1]


def test_the_golden_logs_give_every_feature_a_value() -> None:
    seen = {json.loads(line)["feature"] for case in CASES for line in (GOLDEN / case / "expect.jsonl").open(encoding="utf-8")}
    assert seen == {feature.name for feature in FEATURES if feature.aggregation != "age"}


def test_a_folder_of_events_refuses_times_a_year_ahead_as_an_import_does(tmp_path: Path) -> None:
    event = {"event_id": "e", "shop_id": "a", "type": "item_viewed", "user_id": "u", "properties": {"item_id": "i"}}
    (tmp_path / "events.jsonl").write_text(json.dumps(event | {"occurred_at": "2099-01-01T00:00:00Z"}) + "\n")
    [row] = read_log(tmp_path, now_ms=1_795_000_000_000)
    assert row["invalid_reason"] == "beyond_horizon"
