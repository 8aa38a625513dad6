"""Rules of a shop at work: what each does, and what none can do, whatever the shop and the request."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jishi.rules.complaints import rules_of
from models.algorithms.exploration import Belief
from serving.catalogue import Version
from serving.exploring import SLOT, Exploration, explore
from serving.recommend import Answer, recommend
from serving.request import Request
from serving.rules.active import ActiveRules, ListContext
from serving.rules.diversity import group_similarity, spread
from serving.rules.impressions import Impressions, Seen
from serving.rules.shop_rules import ShopRules

TODAY, NOW_MS, DAY_MS = date(2026, 11, 30), 1_796_000_000_000, 86_400_000


def active(
    shop: Any, request: Request, rules: list[dict[str, Any]], impressions: Impressions | None = None
) -> ActiveRules | None:
    page = None if request.item_id is None else shop.catalogue.get(request.item_id)
    context = ListContext(request.placement, request.persons, page, None if page is None else page.category, TODAY, NOW_MS)
    named = [{"name": f"r{number}"} | rule for number, rule in enumerate(rules)]
    return ActiveRules.of(
        ShopRules(rules_of({"rules": named})), context, shop.shelf, shop.catalogue, impressions or Impressions()
    )


def ask(shop: Any, rules: list[dict[str, Any]], impressions: Impressions | None = None, **asked: Any) -> Answer:
    request = Request(**({"shop_id": "a", "placement": "home", "limit": 10} | asked))
    return recommend(request, shop.shelf, shop.catalogue, lambda *_: (), rules=active(shop, request, rules, impressions))


def ids(answer: Answer) -> list[str]:
    return [one.item.item_id for one in answer.items]


def numbered(*numbers: int) -> list[str]:
    return [f"i{number}" for number in numbers]


def test_boosted_items_rise_and_buried_ones_come_last(shop: Any) -> None:
    lamps, skirts = {"categories": ["lamps"]}, {"categories": ["skirts"]}
    assert ids(ask(shop, [{"kind": "boost", "items": lamps, "factor": 5}], limit=3)) == numbered(20, 21, 22)
    answer = ask(shop, [{"kind": "bury", "items": skirts}], limit=30)
    assert ids(answer) == numbered(*range(10, 30), *range(10))
    assert answer.rules is not None
    assert [touch.effect for touch in answer.touches([answer.items[-1]])[0]] == ["last"]


def test_many_weights_of_one_item_stay_numbers(shop: Any) -> None:
    """A hundred to the twentieth is more than a score can be, and nothing times that is not even one."""
    answer = ask(shop, [{"kind": "boost", "items": {"item_ids": ["i3", "i29"]}, "factor": 100}] * 60, limit=30)
    assert all(np.isfinite(one.score) for one in answer.items)
    assert ids(answer)[:4] == numbered(3, 29, 0, 1)


def test_a_pin_brings_an_item_that_the_release_does_not_know(shop: Any, tiny: Any) -> None:
    shop.catalogue.put(tiny.item("brand-new"))
    pin = {"kind": "pin", "item_id": "brand-new", "slot": 2}
    answer = ask(shop, [pin], limit=3)
    assert (ids(answer), answer.items[1].reason.code) == (["i0", "brand-new", "i1"], "picked_by_shop")
    assert ids(ask(shop, [pin], limit=1)) == ["i0"], "the slot is behind the end"
    shop.catalogue.put(tiny.item("brand-new", stock=0, at_ms=2))
    assert ids(ask(shop, [pin], limit=3)) == numbered(0, 1, 2)


def test_a_rule_holds_on_its_placement_its_pages_and_its_days(shop: Any) -> None:
    hide = {"kind": "hide", "items": {"item_ids": ["i0"]}}
    for scope, is_hidden in [
        ({"placements": ["cart", "home"]}, True),
        ({"placements": ["item"]}, False),
        ({"from_date": "2026-11-30", "until_date": "2026-11-30"}, True),
        ({"from_date": "2026-12-01"}, False),
        ({"until_date": "2026-11-29"}, False),
        ({"page_categories": ["tea"]}, False),
    ]:
        assert ("i0" not in ids(ask(shop, [hide | scope]))) == is_hidden, scope
    on_tea = {"placement": "item", "item_id": "i12", "limit": 30}
    assert "i0" not in ids(ask(shop, [hide | {"page_categories": ["tea"]}], **on_tea))


def test_a_price_band_follows_the_page(shop: Any, tiny: Any) -> None:
    for number in range(30):
        item = tiny.item(f"i{number}", at_ms=2)
        item = replace(item, home_price_minor=None if number == 3 else 100 * (number + 1))
        shop.catalogue.put(item)
        shop.shelf.refresh(item)
    band = {"kind": "price_band", "min_times": 0.5, "max_times": 2, "outside": "out"}
    answer = ask(shop, [band], placement="item", item_id="i4", limit=30)  # costs 500
    assert sorted(ids(answer)) == sorted(numbered(2, 3, *range(5, 10))), "an unknown price lies in every band"
    assert len(ids(ask(shop, [band], limit=30))) == 30, "no page, no band"
    last = ask(shop, [{"kind": "price_band", "max_minor": 200}], limit=30)
    assert ids(last)[:3] == numbered(0, 1, 3)
    gift = replace(tiny.item("i4", at_ms=3), home_price_minor=0)
    shop.catalogue.put(gift)
    shop.shelf.refresh(gift)
    assert len(ids(ask(shop, [band], placement="item", item_id="i4", limit=30))) == 29, "no multiple of nothing is a price"


def test_what_was_shown_and_ignored_comes_last_until_it_is_clicked(shop: Any) -> None:
    impressions, me = Impressions(), ("u:me", "a:phone")
    for at_ms in (NOW_MS - 2, NOW_MS - 1, NOW_MS - 3 * DAY_MS):
        for later_ms in (0, 1, 5_000):  # delivered thrice, the last time after a pause
            impressions.put(Seen("a", me, ("i0", "i1"), False, at_ms + later_ms, f"e{at_ms}"))
    impressions.put(Seen("a", ("u:other",), ("i2",), False, NOW_MS, "e"))
    cap = {"kind": "frequency_cap", "shown": 2, "days": 1}
    assert ids(ask(shop, [cap], impressions, persons=me, limit=30)) == numbered(*range(2, 30), 0, 1)
    assert "i0" not in ids(ask(shop, [cap | {"outside": "out"}], impressions, persons=me, limit=30))
    assert ids(ask(shop, [cap | {"shown": 3}], impressions, persons=me, limit=2)) == numbered(0, 1)
    assert ids(ask(shop, [cap | {"shown": 3, "days": 7}], impressions, persons=me, limit=2)) == numbered(2, 3)
    assert ids(ask(shop, [cap], impressions, persons=("u:stranger",), limit=2)) == numbered(0, 1)
    impressions.put(Seen("a", me, ("i0",), True, NOW_MS, "c"))
    assert ids(ask(shop, [cap], impressions, persons=me, limit=30)) == numbered(0, *range(2, 30), 1)


def test_both_ids_of_a_person_have_one_count() -> None:
    """What a device saw before login counts for its user, and a click that names one id ends the count of both."""
    impressions = Impressions()
    impressions.put(Seen("a", ("a:phone",), ("i", "j"), False, 1, "e1"))
    impressions.put(Seen("a", ("u:me", "a:phone"), ("i",), False, 2, "e2"))
    for named in (("u:me",), ("a:phone",), ("u:me", "a:phone")):
        assert impressions.ignored(named, 0) == Counter({"i": 2, "j": 1}), named
    impressions.put(Seen("a", ("a:phone",), ("i",), True, 3, "c"))
    assert impressions.ignored(("u:me",), 0) == impressions.ignored(("a:phone",), 0) == Counter({"j": 1})
    # Somebody else logs in on the same device: nothing of the first user's counts for them.
    assert impressions.ignored(("u:other", "a:phone"), 0) == Counter()
    impressions.put(Seen("a", ("a:phone",), ("k",), False, 4, "e3"))
    assert impressions.ignored(("u:other",), 0) == Counter({"k": 1})
    assert impressions.ignored(("u:me",), 0) == Counter({"j": 1})
    assert impressions._count == 2


def test_impressions_are_bounded_and_who_saw_nothing_for_longest_goes_first() -> None:
    impressions = Impressions(most=4)
    for number, person in enumerate(["u:1", "u:2", "u:1", "u:3"]):
        impressions.put(Seen("a", (person,), ("i", f"j{number}"), False, number, f"e{number}"))
    assert impressions.ignored(["u:2"], 0) == Counter()
    assert impressions.ignored(["u:3"], 0) == Counter({"i": 1, "j3": 1})
    for number in range(10):
        impressions.put(Seen("a", (f"u:clicks {number}",), ("i",), True, number, f"c{number}"))
    assert len(impressions._shown) <= 2, "who only clicks takes no room"


def test_margin_and_age_weigh_only_where_they_are_known(shop: Any, tiny: Any) -> None:
    known = {25: (200, 5), 26: (1700, 170)}  # cost of 1900, days since it came
    for number, (cost, days) in known.items():
        item = replace(tiny.item(f"i{number}", "lamps", at_ms=2), unit_cost_minor=cost, stocked_at_ms=NOW_MS - days * DAY_MS)
        shop.catalogue.put(item)
        shop.shelf.refresh(item)
    plain = ids(ask(shop, [], limit=30))
    for rule, first, last in (("margin", "i25", "i26"), ("stock_age", "i26", "i25")):
        answer = ask(shop, [{"kind": rule, "weight": 5}], limit=30)
        assert (ids(answer)[0], ids(answer)[-1]) == (first, last)
        assert [each for each in ids(answer) if each not in (first, last)] == [e for e in plain if e not in (first, last)]
        assert answer.rules is not None
        touched = {one.item.item_id for one in answer.items if answer.touches([one])}
        assert touched == {first, last}


def test_a_share_of_new_items_takes_the_weakest_places(shop: Any, tiny: Any) -> None:
    shop.model.newcomers = tiny.newcomers(np.array([27, 28, 29]), Belief(np.array([1.0, 1.0, 1.0]), np.full(3, 9.0)))
    answer = ask(shop, [{"kind": "new_items", "share": 0.2}], limit=10)
    assert ids(answer) == numbered(*range(8), 27, 28)
    hidden = [{"kind": "new_items", "share": 0.2}, {"kind": "hide", "items": {"item_ids": ["i27", "i29"]}}]
    assert ids(ask(shop, hidden, limit=10)) == numbered(*range(9), 28)
    many = tiny.newcomers(np.arange(20, 30), Belief(np.ones(10), np.full(10, 9.0)))
    shop.model.newcomers = many
    share = [{"kind": "new_items", "share": 0.28}]  # 0.28 of 25 is 7.000000000000001
    assert sum(item in numbered(*range(20, 30)) for item in ids(ask(shop, share, limit=25))) == 7
    buried = [{"kind": "new_items", "share": 0.5}, {"kind": "bury", "items": {"item_ids": numbered(*range(1, 8))}}]
    few = [*buried, {"kind": "hide", "items": {"item_ids": numbered(*range(8, 28))}}]
    assert ids(ask(shop, few, limit=10)) == ["i0", "i28", "i29", *numbered(*range(1, 8))], "what is buried stays behind"


def test_diversity_brings_other_categories_and_keeps_the_best_first(shop: Any) -> None:
    rule = {"kind": "diversity", "by": "category", "strength": 0.9}
    answer = ask(shop, [rule], limit=8)
    assert ids(answer)[0] == "i0"
    assert len({one.item.category for one in answer.items}) > len({one.item.category for one in ask(shop, [], limit=8).items})


@pytest.mark.parametrize("strength", [0.3, 0.9])
def test_an_item_counts_for_what_those_of_its_group_leave_of_it(strength: float) -> None:
    """The greedy choice equals one by the closed form of what k items of a group leave: 1 − s²k / (1 + (k − 1)s)."""
    rng = np.random.default_rng(7)
    groups = rng.integers(0, 4, 40).tolist()
    score = np.sort(rng.random(40))[::-1].astype(np.float32)
    order = spread(score, group_similarity([groups], [strength]), 15).tolist()
    chosen: list[int] = []
    for _ in range(15):
        counts = Counter(groups[place] for place in chosen)
        left = {
            place: float(score[place]) * (1 - strength**2 * k / (1 + (k - 1) * strength))
            for place in set(range(40)) - set(chosen)
            for k in [counts[groups[place]]]
        }
        chosen.append(max(left, key=lambda place: left[place]))
    assert order[:15] == chosen
    assert sorted(order) == list(range(40))


def test_exploring_keeps_off_what_is_pinned_and_hidden(shop: Any, tiny: Any) -> None:
    shop.model.newcomers = tiny.newcomers(np.array([27, 28]), Belief(np.ones(2), np.full(2, 9.0)))
    exploration = Exploration()
    exploration.use(shop.model)
    request = Request("a", "home", 10)
    rules = [{"kind": "pin", "item_id": "i15", "slot": SLOT + 3}, {"kind": "hide", "items": {"item_ids": ["i27"]}}]
    explored = 0
    for seed in range(60):
        answer = recommend(request, shop.shelf, shop.catalogue, lambda *_: (), rules=active(shop, request, rules))
        answer, decision = explore(answer, request, shop.shelf, shop.catalogue, exploration, np.random.default_rng(seed))
        assert ids(answer)[SLOT + 2] == "i15"
        assert "i27" not in ids(answer)
        explored += decision is not None and decision.item is not None
    assert explored
    buried = active(shop, request, [{"kind": "bury", "items": {"item_ids": ["i27", "i28"]}}])
    answer = recommend(request, shop.shelf, shop.catalogue, lambda *_: (), rules=buried)
    for seed in range(20):
        _, decision = explore(answer, request, shop.shelf, shop.catalogue, Exploration(), np.random.default_rng(seed))
        assert decision is None
        fresh = Exploration()
        fresh.use(shop.model)
        _, decision = explore(answer, request, shop.shelf, shop.catalogue, fresh, np.random.default_rng(seed))
        assert decision is not None
        assert decision.item is None, "the fifth place is not behind all others"
    pinned = active(shop, request, [{"kind": "pin", "item_id": "i15", "slot": SLOT + 1}])
    answer = recommend(request, shop.shelf, shop.catalogue, lambda *_: (), rules=pinned)
    assert explore(answer, request, shop.shelf, shop.catalogue, exploration, np.random.default_rng(1)) == (answer, None)


SELECTIONS = st.fixed_dictionaries(
    {},
    optional={
        "item_ids": st.lists(st.sampled_from(numbered(*range(12))), min_size=1, max_size=4),
        "categories": st.lists(st.sampled_from("xyz"), min_size=1, max_size=2),
        "price_max_minor": st.integers(0, 4),
    },
).filter(bool)
OUTSIDE = st.sampled_from(["last", "out"])
RULES = st.one_of(
    st.builds(lambda items, factor: {"kind": "boost", "items": items, "factor": factor}, SELECTIONS, st.floats(1.5, 9)),
    *(st.builds(lambda items, kind=kind: {"kind": kind, "items": items}, SELECTIONS) for kind in ("bury", "hide")),
    st.builds(
        lambda by, s: {"kind": "diversity", "by": by, "strength": s}, st.sampled_from(["category", "brand"]), st.just(0.7)
    ),
    st.builds(lambda high, outside: {"kind": "price_band", "max_minor": high, "outside": outside}, st.integers(0, 4), OUTSIDE),
    st.builds(lambda shown, outside: {"kind": "frequency_cap", "shown": shown, "outside": outside}, st.integers(1, 3), OUTSIDE),
    *(st.just({"kind": kind, "weight": weight}) for kind in ("margin", "stock_age") for weight in (-2.0, 3.0)),
    st.just({"kind": "new_items", "share": 0.5}),
)
PINS = st.lists(
    st.tuples(st.integers(1, 15), st.sampled_from(numbered(*range(13)))),
    max_size=3,
    unique_by=(lambda pin: pin[0], lambda pin: pin[1]),
).map(lambda pins: [{"kind": "pin", "slot": slot, "item_id": item_id} for slot, item_id in pins])
STATES = st.lists(
    st.tuples(st.sampled_from(["active", "active", "blocked"]), st.integers(0, 2), st.sampled_from("xyz"), st.integers(0, 5)),
    min_size=13,
    max_size=13,
)


def shop_of(tiny: Any, states: list[tuple[str, int, str, int]]) -> Any:
    """The twelve items of the release, and one that is too new for it."""
    items = [
        replace(
            tiny.item(f"i{n}", category, stock=stock, status=status),
            home_price_minor=price or None,
            unit_cost_minor=price * 300 if price % 2 else None,
            brand=category if price > 2 else None,
        )
        for n, (status, stock, category, price) in enumerate(states)
    ]
    newcomers = tiny.newcomers(np.array([3, 4, 5]), Belief(np.ones(3), np.full(3, 9.0)))
    return tiny.shop(
        tiny.model(numbered(*range(12)), {1: {2: 0.9, 7: 0.4}}, {"p": {3: 1.0, 8: 0.5}}, newcomers=newcomers), items
    )


@settings(max_examples=200, deadline=None)
@given(
    states=STATES,
    changed=st.lists(st.tuples(st.integers(0, 12), st.integers(0, 1), st.sampled_from("xyz")), max_size=4),
    rules=st.lists(RULES, max_size=5),
    pins=PINS,
    seen=st.lists(st.sampled_from(numbered(*range(12))), max_size=6),
    limit=st.integers(1, 15),
    item_id=st.sampled_from([None, "i0", "i5"]),
    persons=st.sampled_from([(), ("p",)]),
)
def test_whatever_the_rules_the_guard_and_what_is_hidden_hold(
    tiny: Any, states: Any, changed: Any, rules: Any, pins: Any, seen: Any, limit: int, item_id: str | None, persons: Any
) -> None:
    shop = shop_of(tiny, states)
    for number, stock, category in changed:  # the shelf has not seen these yet
        item = shop.catalogue.items[f"i{number}"]
        shop.catalogue.put(replace(item, stock=stock, category=category, version=Version(9, 9, "")))
    impressions = Impressions()
    for place, each in enumerate(seen):
        impressions.put(Seen("a", ("p",), (each,), False, NOW_MS - place, f"e{place}"))
    request = Request("a", "item" if item_id else "home", limit, persons, item_id)
    on = active(shop, request, [*rules, *pins], impressions)
    answer = recommend(request, shop.shelf, shop.catalogue, lambda *_: (), rules=on)
    shown = ids(answer)
    assert len(shown) == len(set(shown)) <= limit
    live = shop.catalogue.items
    assert all(live[each].is_sellable and each != item_id for each in shown)
    hides = [rule for rule in rules if rule["kind"] == "hide"]
    for each in shown:
        for rule in hides:
            conditions = rule["items"]
            price = live[each].home_price_minor
            is_meant = (
                ("item_ids" not in conditions or each in conditions["item_ids"])
                and ("categories" not in conditions or live[each].category in conditions["categories"])
                and ("price_max_minor" not in conditions or (price is not None and price <= conditions["price_max_minor"]))
            )
            assert not is_meant, "hide never leaks"
        assert on is None or on.hidden_by(live[each]) is None
    for pin in pins:
        item = live[pin["item_id"]]
        is_eligible = item.is_sellable and item.item_id != item_id and (on is None or on.hidden_by(item) is None)
        if is_eligible and pin["slot"] <= len(shown):
            assert shown[pin["slot"] - 1] == item.item_id
        if not is_eligible:
            assert item.item_id not in shown


@settings(max_examples=100, deadline=None)
@given(
    states=STATES,
    rules=st.lists(RULES.filter(lambda rule: rule["kind"] != "hide" and rule.get("outside") != "out"), max_size=5),
    persons=st.sampled_from([(), ("p",)]),
)
def test_a_whole_list_keeps_its_items_whatever_their_order(tiny: Any, states: Any, rules: Any, persons: Any) -> None:
    shop = shop_of(tiny, states)
    whole = {"limit": 12, "persons": persons}
    before, after = ask(shop, [], **whole), ask(shop, rules, **whole)
    assert sorted(ids(before)) == sorted(ids(after))


def test_rules_that_do_not_hold_change_nothing(shop: Any) -> None:
    out_of_date = {"kind": "boost", "items": {"categories": ["lamps"]}, "factor": 9, "until_date": "2020-01-01"}
    assert ask(shop, [out_of_date]) == ask(shop, [])
    assert ask(shop, []).rules is None
