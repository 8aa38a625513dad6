"""The pandas job, with which ``jishi bench backfill`` compares, gives the oracle's values: both do the same work."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from bench.backfill_baseline import acts_frame, view_frame
from jishi.features import ENTITY_KEYS, FEATURES, views
from jishi.features.entity import entity_id
from jishi.features.event_log import read_log
from jishi.features.oracle import good_acts, values
from jishi.settings import PROJECT_ROOT, Settings

GOLDEN = PROJECT_ROOT / "tests" / "golden" / "features" / "edges"


@pytest.fixture(scope="module")
def acts() -> pd.DataFrame:
    return acts_frame(iter(read_log(GOLDEN)), Settings())


@pytest.fixture(scope="module")
def expected() -> dict[tuple[Any, ...], Any]:
    settings = Settings()
    good = good_acts(
        read_log(GOLDEN), allowed_lateness_s=settings.allowed_lateness_s, future_tolerance_s=settings.future_tolerance_s
    )
    result = values(FEATURES, good, allowed_lateness_s=settings.allowed_lateness_s)
    return {(value.feature, value.shop_id, value.entity_id, value.as_of_ms): value.value for value in result}


@pytest.mark.parametrize("view", list(views()))
def test_a_view_has_the_values_of_the_oracle(acts: pd.DataFrame, expected: dict[tuple[Any, ...], Any], view: str) -> None:
    members = views()[view]
    frame = view_frame(acts, members, 30_000)
    frame = frame.astype(object).where(frame.notna(), None)
    by_key = {}
    for row in frame.to_dict("records"):
        identity = entity_id(row["shop_id"], [row[key] for key in ENTITY_KEYS[members[0].entity]])
        for feature in members:
            if row[feature.name] != feature.default:
                by_key[feature.name, row["shop_id"], identity, row["as_of_ms"]] = row[feature.name]
    names = {feature.name for feature in members}
    assert without_nul(by_key) == without_nul({key: value for key, value in expected.items() if key[0] in names})
    assert by_key


def without_nul(by_key: dict[tuple[Any, ...], Any]) -> dict[tuple[Any, ...], Any]:
    """Pandas groups texts up to a NUL character; no other engine does, so such ids are left to those."""
    return {key: value for key, value in by_key.items() if "\x00" not in key[2]}
