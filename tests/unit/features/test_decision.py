"""Values at a decision: counted by hand, and always between what was seen and what the shop is like."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from jishi.features import FEATURES, Feature
from jishi.features.decision import age_s, ratio, unique, value_at

COUNTS = st.integers(0, 10**6)


def named(name: str) -> Feature:
    return next(feature for feature in FEATURES if feature.name == name)


@given(COUNTS, COUNTS, COUNTS, st.integers(1, 10**6), st.integers(1, 1000))
def test_a_smoothed_ratio_is_the_exact_one_rounded_once_or_twice(a: int, b: int, pa: int, pb: int, weight: int) -> None:
    exact = (a + weight * Fraction(pa, pb)) / (b + weight)
    assert abs(Fraction(ratio(a, b, pa, pb, weight=weight) or 0) - exact) <= exact * Fraction(1, 2**51)
    if b:
        low, high = sorted((Fraction(a, b), Fraction(pa, pb)))
        assert low <= exact <= high


def test_what_was_never_seen_has_the_shops_ratio_and_not_0() -> None:
    shop = {"shop_carts_24h": 5, "shop_views_24h": 100}
    assert value_at(named("item_add_rate_24h"), [{}], 0, shop=shop) == 0.05
    assert value_at(named("item_add_rate_24h"), [{"item_views_24h": 10, "item_carts_24h": 5}], 0, shop=shop) == 0.2
    assert value_at(named("item_add_rate_24h"), [{}], 0) is None
    assert value_at(named("shop_add_rate_24h"), [shop], 0) == 0.05


def test_a_share_of_what_was_given_back_is_1_at_most_whatever_was_reported() -> None:
    rate, of_shop = named("item_return_rate_30d"), named("shop_return_rate_30d")
    sound = {"shop_units_returned_30d": 20, "shop_units_30d": 100}
    assert value_at(rate, [{"item_units_returned_30d": 3, "item_units_30d": 10}], 0, shop=sound) == 0.25  # (3 + 10 * .2) / 20
    assert value_at(rate, [{"item_units_returned_30d": 2**53, "item_units_30d": 1}], 0, shop=sound) == 1
    too_much = sound | {"shop_units_returned_30d": 2**53}
    assert value_at(of_shop, [too_much], 0) == 1
    assert value_at(rate, [{"item_units_30d": 90}], 0, shop=too_much) == 0.1  # (0 + 10 * 1) / 100


def test_a_person_of_two_ids_is_smoothed_once() -> None:
    shop = {"shop_carts_24h": 5, "shop_views_24h": 100}
    ids = [{"person_views_24h": 6, "person_carts_24h": 1}, {"person_views_24h": 4, "person_carts_24h": 4}]
    assert value_at(named("person_add_rate_24h"), ids, 0, shop=shop) == 0.2


def test_an_age_grows_between_two_decisions_and_is_never_negative() -> None:
    quiet = named("person_quiet_s")
    ids = [{"person_last_seen_at_ms": 10_000}, {"person_last_seen_at_ms": 70_000}]
    known_ms = {"person_last_seen_at_ms": [10_000, 70_001]}
    assert [value_at(quiet, ids, at_ms, known_ms=known_ms) for at_ms in (70_999, 71_000, 130_000, 60_000)] == [0, 1, 60, 0]
    assert value_at(quiet, [{}], 0) is None
    assert age_s(None, 5) is None


def test_two_lists_of_one_person_become_one_without_repeats() -> None:
    ids = [
        {"last_items": ["a", "b"], "last_items_known_ms": [9, 7]},
        {"last_items": ["b", "c"], "last_items_known_ms": [8, 6]},
    ]
    assert value_at(named("recent_items"), ids, 0) == ["a", "b", "c"]
    assert value_at(named("recent_items"), [{}], 0) == ()
    assert unique("") == []
