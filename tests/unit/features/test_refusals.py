"""A declaration that engines could not compute to the same value is refused, with the feature's name and the reason."""

from __future__ import annotations

from typing import Any

import pytest

from jishi.features import FEATURES, Feature, NotComputable, Where
from jishi.features.refusal import refuse_together

VIEWS: dict[str, Any] = {
    "name": "views",
    "meaning": "Views.",
    "entity": "item",
    "aggregation": "count",
    "acts": ("item_viewed",),
    "size_s": 3600,
    "slide_s": 60,
}
LAST: dict[str, Any] = VIEWS | {
    **{"aggregation": "last_n", "column": "item_id", "n": 3, "entity": "person"},
    **{"size_s": None, "slide_s": None, "default": ()},
}

# (what is changed, words of the reason)
REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"name": "Views"}, "lower case"),
    ({"name": "shop_id"}, "column of every view"),
    ({"entity": "planet"}, "entity 'planet'"),
    ({"meaning": "views"}, "full stop"),
    ({"acts": ()}, "acts are missing"),
    ({"acts": ("item_seen",)}, "no acts 'item_seen'"),
    ({"acts": ("item_viewed", "item_viewed")}, "named twice"),
    ({"acts": ("search_performed",)}, "search_performed carries no item_id"),
    ({"where": (Where("quantity", at_least=1),)}, "carries no quantity"),
    ({"where": (Where("category", at_least=1),)}, "collation"),
    ({"where": (Where("hour_local", one_of=("7",)),), "is_live": False}, "must be int64"),
    ({"where": (Where("hour_local", one_of=(7,)),)}, "real-time job does not know"),
    ({"offset_s": 90}, "multiple of slide_s"),
    ({"aggregation": "distinct", "column": "item_id", "offset_s": 3600}, "put together from slides"),
    ({"prior": "views"}, "belong to derived"),
    ({"aggregation": "age"}, "takes no acts"),
    ({"where": (Where("category", one_of=("it's",)),)}, "quote differently"),
    ({"column": "item_id"}, "takes no column"),
    ({"aggregation": "sum"}, "needs a column"),
    ({"aggregation": "sum", "column": "category"}, "order of addition"),
    ({"aggregation": "distinct", "column": "share_id"}, "carries no share_id"),
    ({"size_s": 90}, "multiple of slide_s"),
    ({"size_s": None}, "multiple of slide_s"),
    ({"size_s": 100 * 86_400, "slide_s": 86_400}, "longer than 90 days"),
    ({"n": 3}, "only last_n"),
    ({"default": 1}, "default must be 0"),
    ({"default": None}, "default must be 0"),
    ({"aggregation": "mean", "column": "unit_price_minor", "default": 0}, "must be None or float"),
    ({"aggregation": "ratio"}, "takes no acts"),
    (LAST | {"n": 0}, "needs n"),
    (LAST | {"size_s": 60, "slide_s": 60}, "takes no window"),
    (LAST | {"acts": ("line_paid",)}, "which came last"),
    (LAST | {"default": 0}, "must be ()"),
]


@pytest.mark.parametrize(("change", "reason"), REFUSED)
def test_a_declaration_is_refused_by_name_and_reason(change: dict[str, Any], reason: str) -> None:
    with pytest.raises(NotComputable) as refused:
        Feature(**(VIEWS | change))
    assert str(refused.value).startswith(f"feature {change.get('name', 'views')}: ")
    assert reason in str(refused.value)


AGE: dict[str, Any] = {
    **{"name": "quiet_s", "meaning": "Age.", "entity": "item", "aggregation": "age", "source": "views", "default": None},
}


def ratio(**changes: Any) -> Feature:
    payload = {"name": "rate", "meaning": "Rate.", "entity": "item", "aggregation": "ratio", "size_s": 3600, "slide_s": 60}
    return Feature(**(payload | {"numerator": "carts", "denominator": "views", "default": None} | changes))  # type: ignore[arg-type]


CARTS = Feature(**(VIEWS | {"name": "carts", "acts": ("item_added_to_cart",)}))
TOGETHER: list[tuple[list[Feature], str]] = [
    ([Feature(**VIEWS), Feature(**VIEWS)], "declared twice"),
    ([ratio(), CARTS], "'views' is none"),
    ([ratio(size_s=60), CARTS, Feature(**VIEWS)], "the window of carts is 3600 s, this one's 60 s"),
    ([ratio(), CARTS, Feature(**(VIEWS | {"slide_s": 120}))], "windows end apart"),
    ([ratio(prior="other", prior_weight=1), CARTS, Feature(**VIEWS)], "must be a ratio of the shop"),
    ([ratio(prior_weight=1), CARTS, Feature(**VIEWS)], "needs a prior"),
    ([Feature(**AGE), Feature(**(LAST | {"name": "views", "entity": "item"}))], "holds no instant"),
    (
        [Feature(**AGE), Feature(**(VIEWS | {"aggregation": "max", "column": "occurred_at_ms", "default": None}))],
        "the instant itself",
    ),
    ([Feature(**(AGE | {"entity": "shop"})), Feature(**VIEWS)], "a feature of its entity"),
    ([Feature(**(AGE | {"aggregation": "unique", "default": ()})), Feature(**VIEWS)], "is no last_n"),
    ([ratio(), CARTS, Feature(**(VIEWS | {"entity": "person"}))], "another entity"),
    ([ratio(), CARTS, Feature(**(VIEWS | {"aggregation": "max", "column": "unit_price_minor"}))], "divides integers"),
    (
        [Feature(**(LAST | {"entity": "item"})), Feature(**(LAST | {"entity": "item", "name": "others"}))],
        "view of its own",
    ),
    ([Feature(**VIEWS), Feature(**(VIEWS | {"name": "others", "is_live": False}))], "shares the messages"),
]


@pytest.mark.parametrize(("features", "reason"), TOGETHER)
def test_declarations_that_do_not_fit_each_other_are_refused(features: list[Feature], reason: str) -> None:
    with pytest.raises(NotComputable, match=reason):
        refuse_together(features)


def test_what_is_declared_is_enough_for_a_recommender_and_a_merchant() -> None:
    assert len(FEATURES) >= 30
    assert {feature.entity for feature in FEATURES} == {"person", "item", "shop", "person_category", "share", "group_buy"}
    assert len({feature.aggregation for feature in FEATURES}) == 12
    refuse_together(FEATURES)
