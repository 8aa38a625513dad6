"""Two ids of a person, merged at any instant, are what the oracle says of one id that did everything."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jishi.features import FEATURES, Feature, operands
from jishi.features.act import acts_of
from jishi.features.decision import value_at
from jishi.features.definition import Where
from jishi.features.merging import merge
from jishi.features.oracle import Act, running_steps, running_value
from jishi.features.refusal import NotComputable, refuse_together
from jishi.features.snapshot import snapshot

HOUR_MS = 3_600_000
OF_PERSON = [feature for feature in FEATURES if feature.entity in ("person", "person_category")]
IDS = ("u:x", "a:d")
SHOP = {"shop_carts_24h": 2, "shop_views_24h": 9}
KINDS = st.sampled_from(
    ["item_viewed", "item_viewed", "search_performed", "item_added_to_cart", "order_paid", "recommendation_clicked"]
)


@st.composite
def made_acts(draw: st.DrawFn) -> list[Act]:
    """Acts of the two ids in the order of knowing, no two known in one millisecond."""
    acts: list[Act] = []
    known_ms = 10 * 24 * HOUR_MS
    for number in range(draw(st.integers(0, 14))):
        known_ms += draw(st.sampled_from([1, 1000, HOUR_MS, 20 * HOUR_MS]))
        at_ms = known_ms - draw(st.sampled_from([0, 0, 500, 29_000]))
        record = {name: None for name in ("item_id", "category", "unit_price_minor", "quantity", "session_id", "share_id")}
        record |= {"shop_id": "s", "event_id": f"e{number}", "type": draw(KINDS), "person_id": draw(st.sampled_from(IDS))}
        record |= {"occurred_at_ms": at_ms, "received_at_ms": known_ms, "session_id": draw(st.sampled_from([None, "1", "2"]))}
        if record["type"] not in ("search_performed", "order_paid"):
            record |= {"item_id": draw(st.sampled_from("ijk")), "category": draw(st.sampled_from([None, "c", "d"]))}
            record |= {"unit_price_minor": draw(st.sampled_from([None, 0, 5, 7])), "quantity": 1}
        lines = '[{"item_id":"i","quantity":2,"unit_price_minor":300,"category":"c"}]'
        record["line"] = f'{{"properties":{{"order_id":"o{number}","currency":"CNY","lines":{lines}}}}}'
        acts += acts_of(record)
    return acts


def of_ids(acts: list[Act], person_id: str | None) -> list[Act]:
    """Acts of one id; with None all acts, as if one id had done them."""
    return [act | {"person_id": "p"} for act in acts if person_id in (None, act["person_id"])]


def window_values(features: list[Feature], acts: list[Act], at_ms: int) -> dict[str, Any]:
    values_at = snapshot(features, acts, at_ms, allowed_lateness_s=30)
    key = ("s", "p" if features[0].entity == "person" else "p|c")
    return {name: by_key[key] for name, by_key in values_at.items() if key in by_key}


@settings(max_examples=150, deadline=None)
@given(made_acts(), st.integers(0, 60))
def test_windows_merge_to_what_one_id_would_have(acts: list[Act], hours: int) -> None:
    at_ms = 10 * 24 * HOUR_MS + hours * HOUR_MS + 30_000
    for entity in ("person", "person_category"):
        stored = [feature for feature in OF_PERSON if feature.size_s and not feature.is_derived and feature.entity == entity]
        ratios = [feature for feature in OF_PERSON if feature.aggregation == "ratio" and feature.entity == entity]
        ids = [window_values(stored, of_ids(acts, person_id), at_ms) for person_id in IDS]
        one = window_values(stored, of_ids(acts, None), at_ms)
        for feature in [*stored, *ratios]:
            at_decision = value_at(feature, ids, at_ms, shop=SHOP)
            assert at_decision == value_at(feature, [one], at_ms, shop=SHOP), feature.name


@settings(max_examples=150, deadline=None)
@given(made_acts())
def test_running_values_merge_to_what_one_id_would_have(acts: list[Act]) -> None:
    for feature in (feature for feature in OF_PERSON if feature.is_running):
        needed = [other for other in OF_PERSON if other is feature or other.times_of == feature.name]
        ids, known_ms = [], []
        for person_id in IDS:
            taken = [act for act in of_ids(acts, person_id) if feature.takes(act)]
            steps = list(running_steps(feature, taken))
            known_ms.append(steps[-1][0] if steps else None)
            taken_of = {other.name: [act for act in taken if other.takes(act)] for other in needed}
            ids.append({other.name: running_value(other, taken_of[other.name]) for other in needed if taken_of[other.name]})
        taken = [act for act in of_ids(acts, None) if feature.takes(act)]
        expected = running_value(feature, taken) if taken else feature.default
        assert merge(feature, ids, known_ms) == expected, feature.name


def test_the_items_of_before_the_login_stay_among_those_of_last_month() -> None:
    feature = next(feature for feature in FEATURES if feature.name == "last_items")
    user = {"last_items": [f"old{n}" for n in range(20)], "last_items_known_ms": [1000 - n for n in range(20)]}
    device = {"last_items": ["shoes", "socks"], "last_items_known_ms": [5000, 4000]}
    merged = merge(feature, [user, device], [1000, 5000])
    assert merged == ["shoes", "socks", *(f"old{n}" for n in range(18))]
    assert merge(feature, [device], [5000]) == ["shoes", "socks"]
    assert merge(feature, [{}, {}], [None, None]) == ()


def test_of_one_millisecond_the_user_comes_first() -> None:
    last = next(feature for feature in FEATURES if feature.name == "last_paid_at_ms")
    assert merge(last, [{"last_paid_at_ms": 1}, {"last_paid_at_ms": 2}], [7, 7]) == 1
    assert merge(last, [{"last_paid_at_ms": 1}, {"last_paid_at_ms": 2}], [7, 8]) == 2
    items = next(feature for feature in FEATURES if feature.name == "last_items")
    ids = [{"last_items": ["u"], "last_items_known_ms": [7]}, {"last_items": ["d"], "last_items_known_ms": [7]}]
    assert merge(items, ids, [7, 7]) == ["u", "d"]


@pytest.mark.parametrize(
    ("aggregation", "more", "reason"),
    [
        ("distinct", {"column": "item_id", "size_s": 60, "slide_s": 60}, "declare f_values"),
        ("mean", {"column": "unit_price_minor", "size_s": 60, "slide_s": 60, "default": None}, "a ratio of a sum and a count"),
        ("last_n", {"column": "item_id", "n": 3, "default": ()}, "declare f_known_ms"),
    ],
)
def test_what_could_not_be_merged_is_refused(aggregation: Any, more: dict[str, Any], reason: str) -> None:
    lone = Feature(name="f", meaning="F.", entity="person", aggregation=aggregation, acts=("item_viewed",), **more)
    with pytest.raises(NotComputable, match=reason):
        refuse_together([lone])
    of_item = Feature(name="g", meaning="G.", entity="item", aggregation=aggregation, acts=("item_viewed",), **more)
    refuse_together([of_item])


def test_times_are_refused_that_are_not_those_of_the_entries() -> None:
    items = Feature("f", "F.", "person", "last_n", ("item_viewed",), column="item_id", n=3, default=())
    times = {"acts": ("item_viewed",), "column": "received_at_ms", "default": (), "times_of": "f"}
    right = Feature("f_known_ms", "T.", "person", "last_n", where=(Where("item_id"),), n=3, **times)
    refuse_together([items, right])
    with pytest.raises(NotComputable, match="is no last_n of its view"):
        refuse_together([items, Feature("f_known_ms", "T.", "person", "last_n", where=(Where("item_id"),), n=2, **times)])
    with pytest.raises(NotComputable, match="whose first condition is the other's column"):
        Feature("f_known_ms", "T.", "person", "last_n", n=3, **times)
    assert operands(right) == (right,)
