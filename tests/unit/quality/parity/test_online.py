"""Values that serving used, judged on logs small enough to know the answer, and on random ones against ``why``."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jishi.features import FEATURES, Feature
from jishi.features.act import acts_of
from jishi.features.entity import entity_of
from jishi.features.oracle import Act
from jishi.features.registry import operands
from jishi.features.served import Served
from jishi.features.why import reason
from jishi.tables import LOG_RECORD
from quality.parity.online import CheckedRead, drift, judge_read, spells

BY_NAME = {feature.name: feature for feature in FEATURES}
LAST_ITEMS, VIEWS_1H = BY_NAME["last_items"], BY_NAME["person_views_1h"]
DELAY_MS = 2_000
T0 = 1_788_220_800_000  # on a whole day
# The value of the one view at T0 holds from the end of its minute and 30 s of lateness until an hour later.
HOLDS_MS, ENDS_MS = T0 + 90_000, T0 + 61 * 60_000 + 30_000


def acts(at_ms: int, event_type: str = "item_viewed", properties: dict[str, Any] | None = None, **columns: Any) -> list[Act]:
    line = orjson.dumps({"properties": properties or {}}).decode()
    record: dict[str, Any] = dict.fromkeys(LOG_RECORD.columns)
    record |= {"shop_id": "s", "event_id": f"e{at_ms}", "type": event_type, "person_id": "p", "item_id": "i", "line": line}
    return list(acts_of(record | {"occurred_at_ms": at_ms, "received_at_ms": at_ms} | columns))


def served(feature: Feature, value: Any, as_of_ms: int | None, read_at_ms: int) -> Served:
    return Served("s", "p", feature.name, value, as_of_ms, read_at_ms)


# The list is empty until 1,000 ms, then ["a"], and ["b", "a"] from 5,000 ms on; a value may be 2 s behind.
@pytest.mark.parametrize(
    ("value", "as_of_ms", "read_at_ms", "outcome", "behind_ms"),
    [
        (["b", "a"], 5_000, 60_000, "match", 0),
        (["a"], 1_000, 4_000, "match", 0),
        (["a"], 1_000, 6_999, "match", 1_999),  # on its way for less than the delay
        (["a"], 1_000, 7_000, "too_old", 2_000),
        (None, None, 900, "match", 0),
        (None, None, 2_999, "match", 1_999),
        (None, None, 3_000, "missing", 2_000),
        (["b", "a"], 5_000, 4_500, "match", 0),  # serving's clock may be a second behind Kafka's
        (["b", "a"], 5_000, 3_900, "mismatch", 0),
        (["a", "b"], 5_000, 60_000, "mismatch", 0),  # order is part of the value
        (["a"], 4_000, 60_000, "too_old", 55_000),
        (["x"], 5_000, 6_000, "mismatch", 0),
    ],
)
def test_a_running_value(value: Any, as_of_ms: int | None, read_at_ms: int, outcome: str, behind_ms: int) -> None:
    known = spells(LAST_ITEMS, [*acts(1_000, item_id="a"), *acts(5_000, item_id="b")], 30)
    judged = judge_read(LAST_ITEMS, served(LAST_ITEMS, value, as_of_ms, read_at_ms), known, DELAY_MS)
    assert (judged.outcome, judged.behind_ms) == (outcome, behind_ms)


def test_of_events_known_in_one_millisecond_each_gave_a_true_value() -> None:
    known = spells(LAST_ITEMS, [*acts(1_000, item_id="a"), *acts(1_000, item_id="b")], 30)
    between = served(LAST_ITEMS, ["a"], 1_000, 1_500)
    assert judge_read(LAST_ITEMS, between, known, DELAY_MS).outcome == "match"
    assert judge_read(LAST_ITEMS, served(LAST_ITEMS, ["b"], 1_000, 1_500), known, DELAY_MS).outcome == "mismatch"
    assert judge_read(LAST_ITEMS, served(LAST_ITEMS, ["a"], 1_000, 9_000), known, DELAY_MS).outcome == "too_old"


@pytest.mark.parametrize(
    ("value", "read_at_ms", "outcome"),
    [
        (None, HOLDS_MS, "match"),
        (None, HOLDS_MS + DELAY_MS, "missing"),
        (1, HOLDS_MS, "match"),
        (1, ENDS_MS - 1, "match"),
        (1, ENDS_MS + DELAY_MS - 1, "match"),  # the reader's grace
        (1, ENDS_MS + DELAY_MS, "too_old"),
        (None, ENDS_MS, "match"),
        (2, HOLDS_MS, "mismatch"),
        (0, HOLDS_MS, "match"),
        (0, HOLDS_MS + DELAY_MS, "mismatch"),
    ],
)
def test_a_window(value: int | None, read_at_ms: int, outcome: str) -> None:
    known = spells(VIEWS_1H, acts(T0), 30)
    as_of_ms = None if value is None else HOLDS_MS
    assert judge_read(VIEWS_1H, served(VIEWS_1H, value, as_of_ms, read_at_ms), known, DELAY_MS).outcome == outcome


def test_reads_of_a_feature_add_up() -> None:
    reads = [
        CheckedRead(served(LAST_ITEMS, ["a"], 1_000, 4_000), "match", ["a"], 0),
        CheckedRead(served(LAST_ITEMS, ["a"], 1_000, 9_000), "too_old", ["b"], 7_000),
        CheckedRead(served(LAST_ITEMS, None, None, 9_000), "missing", ["b"], 8_000),
        CheckedRead(served(LAST_ITEMS, ["x"], 8_000, 9_000), "mismatch", ["b"], 0),
    ]
    result = drift("last_items", reads)
    assert (result.reads, result.mismatched, result.missing, result.too_old, result.share) == (4, 1, 1, 1, 0.75)
    assert (result.age_p50_ms, result.age_max_ms, result.behind_max_ms) == (3_000, 8_000, 8_000)


event_types = st.sampled_from(["item_viewed", "item_added_to_cart", "search_performed", "recommendation_clicked"])
columns = st.fixed_dictionaries(
    {"item_id": st.sampled_from("ab"), "category": st.none() | st.just("c"), "session_id": st.none() | st.just("v")}
)
logs = st.lists(st.tuples(st.integers(0, 4_000), event_types, columns), max_size=8)


@given(
    logs,
    st.sampled_from([f for f in FEATURES if f.entity == "person" and not f.is_derived]),
    st.integers(-100, 90_000),
    st.integers(0, DELAY_MS - 1),
)
def test_what_was_true_within_the_delay_matches(
    log: list[tuple[int, str, dict[str, Any]]], feature: Feature, second: int, behind_ms: int
) -> None:
    ordered = sorted(log, key=lambda entry: entry[0])
    all_acts = [act for s, kind, columns in ordered for act in acts(T0 + s * 1_000, kind, unit_price_minor=s, **columns)]
    parts = operands(feature)
    person_acts = [a for a in all_acts if entity_of("person", a) == "p" and any(part.takes(a) for part in parts)]
    known = spells(feature, person_acts, 30)
    at_ms = T0 + second * 1_000
    spell = next(spell for spell in reversed(known) if spell.from_ms <= at_ms)
    assert spell.value == reason(feature, "p", at_ms, all_acts, allowed_lateness_s=30).value
    is_default = spell.value == feature.default
    read = served(feature, None if is_default else spell.value, None if is_default else spell.from_ms, at_ms + behind_ms)
    assert judge_read(feature, read, known, DELAY_MS).outcome == "match"
    assert judge_read(feature, served(feature, "never a value", at_ms, at_ms), known, DELAY_MS).outcome == "mismatch"
