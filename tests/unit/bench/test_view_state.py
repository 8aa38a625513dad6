"""The state that the baseline job keeps for a view gives the oracle's values; a test on Flink compares its messages too."""

from __future__ import annotations

from typing import Any

import pytest

from bench.view_state import RunningView, view_state
from jishi.features import FEATURES, views
from jishi.features.entity import entity_of
from jishi.features.event_log import read_log
from jishi.features.oracle import Act, good_acts, values
from jishi.settings import PROJECT_ROOT

GOLDEN = PROJECT_ROOT / "tests" / "golden" / "features" / "edges"
LATENESS_MS = 30_000
ValuesByKey = dict[tuple[Any, ...], Any]


@pytest.fixture(scope="module")
def acts() -> list[Act]:
    return good_acts(read_log(GOLDEN), allowed_lateness_s=30, future_tolerance_s=5)


@pytest.fixture(scope="module")
def expected(acts: list[Act]) -> ValuesByKey:
    result = values(FEATURES, acts, allowed_lateness_s=30)
    return {(value.feature, value.shop_id, value.entity_id, value.as_of_ms): value.value for value in result}


def values_of(view: str, acts: list[Act]) -> ValuesByKey:
    state, by_key, result = view_state(view, views()[view]), {}, {}
    for act in acts:
        identity = entity_of(state.entity, act) if state.takes(act) else None
        if identity is None:
            continue
        key = (act["shop_id"], identity)
        if isinstance(state, RunningView):
            by_key[key] = state.added(by_key.get(key), act)
            result |= {(name, *key, act["received_at_ms"]): value for name, value in state.values(by_key[key]).items()}
        else:
            panes = by_key.setdefault(key, {})
            end_ms = state.slide_end(act["occurred_at_ms"])
            panes[end_ms] = state.added(panes.get(end_ms), state.reduced(act))
    if isinstance(state, RunningView):
        return result
    for key, panes in by_key.items():
        for end_ms in {end for at in panes for end in range(at, at + state.size_ms, state.slide_ms)}:
            inside = {at: pane for at, pane in panes.items() if end_ms - state.size_ms < at <= end_ms}
            result |= {(name, *key, end_ms + LATENESS_MS): value for name, value in state.values(inside, end_ms).items()}
    return result


@pytest.mark.parametrize("view", list(views()))
def test_a_view_has_the_values_of_the_oracle(acts: list[Act], expected: ValuesByKey, view: str) -> None:
    defaults = {feature.name: [] if feature.default == () else feature.default for feature in views()[view]}
    by_key = {key: value for key, value in values_of(view, acts).items() if value != defaults[key[0]]}
    assert by_key == {key: value for key, value in expected.items() if key[0] in defaults}
    assert by_key
