"""The oracle on cases small enough to count by eye: edges of windows, defaults, parts of orders, running values."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jishi.features import FEATURES, Feature
from jishi.features.act import COLUMNS, acts_of
from jishi.features.entity import ENTITY_KEYS, entity_id, key_values
from jishi.features.oracle import Value, good_acts, values, window_ends
from jishi.tables import LOG_RECORD

MINUTE = 60_000
T0 = 1_788_220_800_000  # on a whole day


def record(
    at_ms: int, event_type: str = "item_viewed", properties: dict[str, Any] | None = None, **columns: Any
) -> dict[str, Any]:
    line = orjson.dumps({"properties": properties or {}}).decode()
    plain: dict[str, Any] = dict.fromkeys(LOG_RECORD.columns)
    plain |= {"shop_id": "s", "event_id": f"e{at_ms}", "type": event_type, "person_id": "p", "item_id": "i", "line": line}
    return plain | {"occurred_at_ms": at_ms, "received_at_ms": at_ms} | columns


def values_of(name: str, records: list[dict[str, Any]], entity: str | None = None) -> list[tuple[int, Any]]:
    """Values of a declared feature as (minutes from T0 until the window's end, value); running ones in milliseconds."""
    acts = good_acts(records, allowed_lateness_s=30, future_tolerance_s=5)
    feature = next(f for f in FEATURES if f.name == name)
    of_feature = [value for value in values(FEATURES, acts, allowed_lateness_s=30) if value.feature == name]
    of_feature = [value for value in of_feature if entity in (None, value.entity_id)]
    if feature.size_s is None:
        return [(value.as_of_ms - T0, value.value) for value in of_feature]
    return [((value.as_of_ms - 30_000 - T0) // MINUTE, value.value) for value in of_feature]


def test_a_window_is_half_open_and_its_value_waits_for_the_lateness() -> None:
    acts = good_acts([record(T0)], allowed_lateness_s=30, future_tolerance_s=5)
    [first, *_, last] = [v for v in values(FEATURES, acts, allowed_lateness_s=30) if v.feature == "person_views_1h"]
    assert first == Value("person_views_1h", "s", "p", T0 + MINUTE + 30_000, 1, T0 + 2 * MINUTE + 30_000)
    assert last.as_of_ms == T0 + 60 * MINUTE + 30_000


@given(st.integers(0, 4_000_000_000_000))
def test_the_ends_of_an_instant_are_the_windows_that_hold_it(at_ms: int) -> None:
    feature = Feature("f", "F.", "item", "count", acts=("item_viewed",), size_s=180, slide_s=60)
    ends = list(window_ends(at_ms, feature))
    around = range((at_ms // MINUTE - 5) * MINUTE, at_ms + 10 * MINUTE, MINUTE)
    assert ends == [end for end in around if end - 180_000 <= at_ms < end]


def test_the_last_millisecond_of_a_slide_belongs_to_it() -> None:
    assert values_of("person_views_1h", [record(T0 + MINUTE - 1)])[0] == (1, 1)
    assert values_of("person_views_1h", [record(T0 + MINUTE)])[0] == (2, 1)


def test_a_mean_is_one_division_and_nothing_where_no_price_is_known() -> None:
    priced = [record(T0 + n, unit_price_minor=price, event_id=str(n)) for n, price in enumerate([1, 1, None, 2])]
    assert values_of("person_price_mean_24h", priced)[0] == (60, 4 / 3)
    assert values_of("person_price_mean_24h", [record(T0)]) == []


def test_an_order_is_one_act_and_each_line_another_and_its_money_adds_up() -> None:
    lines = [
        {"item_id": "a", "quantity": 2, "unit_price_minor": 500, "discount_minor": 1, "category": "x"},
        {"item_id": "b", "quantity": 3, "unit_price_minor": 333, "amount_minor": 1000},
        {"item_id": "c", "quantity": 1, "unit_price_minor": 5, "discount_minor": 9},
        {"item_id": "d", "quantity": 2**53 - 1, "unit_price_minor": 2**53 - 1},
    ]
    paid = record(T0, "order_paid", {"lines": lines, "discount_minor": 100, "shipping_minor": 30}, item_id=None)
    acts = list(acts_of(paid))
    assert [(act["kind"], act["item_id"], act["amount_minor"]) for act in acts] == [
        *(("order_paid", None, -70), ("line_paid", "a", 999), ("line_paid", "b", 1000)),
        *(("line_paid", "c", 0), ("line_paid", "d", 2**53 - 1)),
    ]
    assert all(act.keys() >= COLUMNS.keys() for act in acts)
    paid_minor = 999 + 1000 + 0 + 2**53 - 1 - 70
    assert values_of("person_spend_minor_30d", [paid])[0] == (24 * 60, paid_minor)


def test_an_opened_link_counts_for_the_person_who_shared_it() -> None:
    opened = record(T0, "share_opened", {"share_id": "h", "shared_by": "friend"})
    assert [(act["kind"], act["person_id"], act["share_id"]) for act in acts_of(opened)] == [
        ("share_opened", "p", "h"),
        ("share_brought", "u:friend", "h"),
    ]


def test_the_last_of_one_millisecond_stays_and_a_late_event_never_counts() -> None:
    records = [
        record(T0, item_id="1", event_id="a"),
        record(T0, item_id="2", event_id="b"),
        record(T0 + 5, item_id="late", occurred_at_ms=T0 - 30_000, event_id="c"),
        record(T0 + 9, item_id="3", event_id="d"),
        record(T0 + 9, item_id="3", event_id="d"),
    ]
    assert values_of("last_items", records) == [(0, ["2", "1"]), (9, ["3", "2", "1"])]


def test_first_seen_is_the_earliest_that_is_known_so_far() -> None:
    records = [record(T0 + 9_000), record(T0 + 9_001, occurred_at_ms=T0, event_id="older")]
    assert values_of("first_seen_at_ms", records) == [(9_000, T0 + 9_000), (9_001, T0)]


def test_a_window_of_the_day_before_holds_what_happened_then() -> None:
    views = [record(T0 + 90 * MINUTE, event_id="a"), record(T0 + 25 * 60 * MINUTE, event_id="b")]
    by_end = dict(values_of("item_views_6h_day_before", views))
    # Six hours that begin at 20:00 the day before first hold 01:30, those that begin at 02:00 no longer do.
    assert {end // 60 for end in by_end} == {*range(26, 32), *range(50, 56)}
    assert set(by_end.values()) == {1}


def test_a_rate_is_smoothed_towards_the_shops_own() -> None:
    """Item a: 10 views and 5 carts; b: 90 views. The shop's rate is 5 / 100, and 20 more views of it are added to each item."""
    views = [record(T0 + n, item_id="a" if n < 10 else "b", event_id=f"v{n}") for n in range(100)]
    carts = [record(T0 + n, "item_added_to_cart", item_id="a", event_id=f"c{n}") for n in range(5)]
    [(_, a), *_] = values_of("item_add_rate_24h", views + carts, entity="a")
    [(_, b), *_] = values_of("item_add_rate_24h", views + carts, entity="b")
    assert (a, b) == ((5 + 20 * 0.05) / 30, (0 + 20 * 0.05) / 110)
    assert values_of("shop_add_rate_24h", views + carts, entity="s")[0][1] == 0.05


def test_a_shop_without_any_view_has_no_rate() -> None:
    carts = [record(T0, "item_added_to_cart")]
    assert values_of("item_add_rate_24h", carts) == []
    assert values_of("shop_add_rate_24h", carts, entity="s") == []


@pytest.mark.parametrize(
    ("zone", "hours", "days"),
    [("UTC", (22, 23, 0), (0, 0, 1)), ("Asia/Shanghai", (6, 7, 8), (1, 1, 1)), ("America/New_York", (17, 18, 19), (0, 0, 0))],
)
def test_hours_and_days_are_those_of_the_shops_clocks(zone: str, hours: tuple[int, ...], days: tuple[int, ...]) -> None:
    """22:00, 23:00 and 0:00 UTC; New York is 5 hours behind in January."""
    january = 1_767_218_400_000  # 2025-12-31T22:00Z
    acts = [next(acts_of(record(january + n * 60 * MINUTE), {"s": zone})) for n in range(3)]
    assert tuple(act["hour_local"] for act in acts) == hours
    assert tuple(act["day_local"] - january // (24 * 60 * MINUTE) for act in acts) == days


def test_who_opens_the_own_link_does_not_count() -> None:
    def opened(event_id: str, **ids: str | None) -> dict[str, Any]:
        properties = {"share_id": "h", "shared_by": "x"} if event_id != "a" else {"share_id": "h", "shared_by": "a:d"}
        plain = {"user_id": None, "anonymous_id": None} | ids
        person = f"u:{ids['user_id']}" if ids.get("user_id") else f"a:{ids['anonymous_id']}"
        return record(T0, "share_opened", properties, event_id=event_id, person_id=person, **plain)

    own_opens = [opened("u", user_id="x"), opened("both", user_id="x", anonymous_id="e"), opened("a", anonymous_id="d")]
    others = [opened("o", user_id="y"), opened("p", anonymous_id="x")]
    assert [act["is_own_share"] for row in own_opens for act in acts_of(row)] == [1] * 6
    assert [act["is_own_share"] for row in others for act in acts_of(row)] == [0] * 4
    shared = [row | {"line": row["line"].replace('"a:d"', '"x"')} for row in own_opens[:2] + others]
    assert values_of("share_opens_24h", shared, entity="h")[0][1] == 2
    assert values_of("person_share_opens_30d", shared, entity="u:x")[0][1] == 2


def test_a_unique_list_has_each_entry_where_it_is_newest() -> None:
    records = [record(T0 + n, item_id=item, event_id=str(n)) for n, item in enumerate("abac")]
    assert values_of("recent_items", records)[-1] == (3, ["c", "a", "b"])


@given(st.sampled_from(sorted(ENTITY_KEYS)), st.lists(st.text(min_size=1), min_size=2, max_size=2))
def test_an_entity_id_is_undone_without_doubt(entity: str, texts: list[str]) -> None:
    keys = ENTITY_KEYS[entity]
    identity = entity_id("s", texts[: len(keys)])
    assert key_values(entity, identity) == dict(zip(keys, texts, strict=False))


def test_an_id_of_another_entity_is_refused() -> None:
    with pytest.raises(ValueError, match="person_category"):
        key_values("person_category", "only-a-person")
