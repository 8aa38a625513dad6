"""Drift of a shop's week: the index by hand, no drift where nothing changed, and features and events that did."""

from __future__ import annotations

import math
import random
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jishi.tables import SILVER_EVENTS, TableSchema
from quality.drift import MUCH, ShopDrift, drifts, stability_index, week_of
from tests.lake import newest, record

MONDAY = date(2026, 11, 16)
PERSONS = TableSchema(
    "features/person_daily",
    "A test's features.",
    ("shop_id", "person_id", "event_timestamp"),
    {
        "shop_id": "string",
        "person_id": "string",
        "event_timestamp": "instant",
        "views_30d": "int64",
        "last_order_at_ms": "int64",
    },
)


def test_the_index_is_the_sum_of_the_formula() -> None:
    before, now = [99_999.5, 299_999.5], [199_999.5, 199_999.5]  # with half a row each: 1/4 and 3/4, 1/2 and 1/2
    by_hand = (1 / 2 - 1 / 4) * math.log(2) + (1 / 2 - 3 / 4) * math.log(2 / 3)
    assert stability_index(before, now) == pytest.approx(by_hand)  # type: ignore[arg-type]


@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 10**6)), min_size=1, max_size=20))
def test_the_index_is_never_below_zero_and_the_same_both_ways(pairs: list[tuple[int, int]]) -> None:
    before, now = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    assert stability_index(before, now) >= -1e-12
    assert stability_index(before, now) == pytest.approx(stability_index(now, before))
    assert stability_index(before, before) == 0


def measured(folder: Path, *, shares: list[float], views: float) -> dict[str, ShopDrift]:
    """Two weeks of a shop; in the second one, types have these shares and features these means."""
    luck, kinds = random.Random(7), ["item_viewed", "item_added", "order_paid"]
    events: list[dict[str, Any]] = []
    persons: list[dict[str, Any]] = []
    for week, weights, mean in ((-7, [0.7, 0.2, 0.1], 20.0), (0, shares, views)):
        for number in range(700):
            day = MONDAY + timedelta(days=week + number % 7)
            kind = luck.choices(kinds, weights)[0]
            for shop_id in ("a", "small") if number < 9 else ("a",):
                events.append({"shop_id": shop_id, "event_id": f"{week}.{number}", "type": kind, "occurred_date": day})
        for days in (6, 7):  # only the end of a week counts
            at = datetime(2026, 11, 16) + timedelta(days=week + days)  # noqa: DTZ001 (the lake keeps UTC instants without a zone)
            persons += [
                {"shop_id": "a", "person_id": f"p{n}", "event_timestamp": at, "views_30d": int(luck.expovariate(1 / mean))}
                for n in range(600)
            ]
    record(folder, {SILVER_EVENTS: events, PERSONS: persons})
    by_subject = {each.subject: each for each in drifts(newest(folder), MONDAY + timedelta(days=3))}
    assert {each.shop_id for each in by_subject.values()} == {"a"}, "a small shop is not judged"
    return by_subject


def test_weeks_that_are_alike_do_not_drift(tmp_path: Path) -> None:
    by_subject = measured(tmp_path, shares=[0.7, 0.2, 0.1], views=20)
    assert set(by_subject) == {"events", "features/person_daily.views_30d", "features/person_daily.last_order_at_ms"}
    assert all(each.psi < MUCH / 2 for each in by_subject.values())


def test_a_shifted_mix_and_a_shifted_feature_are_measured_apart(tmp_path: Path) -> None:
    assert measured(tmp_path / "mix", shares=[0.3, 0.6, 0.1], views=20)["events"].is_much
    by_subject = measured(tmp_path / "feature", shares=[0.7, 0.2, 0.1], views=80)
    assert by_subject["features/person_daily.views_30d"].is_much
    assert not by_subject["events"].is_much
    assert by_subject["features/person_daily.views_30d"].rows == 600


def test_weeks_begin_on_monday() -> None:
    assert {week_of(MONDAY + timedelta(days=n)) for n in range(7)} == {MONDAY}
