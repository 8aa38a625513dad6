"""The ladder, the blend and the guard on a shop whose right answers are known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serving.blend import visit_length
from serving.recent import LastAct
from serving.recommend import Answer, NoRelease, recommend
from serving.request import Request


def ask(shop: Any, recent: Sequence[str] = (), **asked: Any) -> Answer:
    request = Request(**({"shop_id": "a", "placement": "home", "limit": 10} | asked))
    acts = [LastAct(item_id, 60.0 * (place + 1)) for place, item_id in enumerate(recent)]
    return recommend(request, shop.shelf, shop.catalogue, lambda _shop, persons: acts if persons else ())


def ids(answer: Answer) -> list[str]:
    return [one.item.item_id for one in answer.items]


def test_an_unknown_person_gets_what_is_popular(shop: Any) -> None:
    answer = ask(shop, persons=("nobody",))
    assert answer.served_by == "popular"
    assert ids(answer) == [f"i{n}" for n in range(10)]
    assert {one.reason.code for one in answer.items} == {"popular"}


def test_nobody_at_all_gets_what_is_popular(shop: Any) -> None:
    assert ids(ask(shop)) == ids(ask(shop, persons=("nobody",)))


def test_the_page_item_brings_its_neighbours_and_not_itself(shop: Any) -> None:
    answer = ask(shop, placement="item", item_id="i12")
    assert answer.served_by == "item_based"
    assert ids(answer)[:2] == ["i13", "i14"]
    assert "i12" not in ids(answer)
    reason = answer.items[0].reason
    assert (reason.code, reason.because_item_id) == ("similar_to_item", "i12")
    assert "标题i12" in reason.zh
    assert "Title i12" in reason.en


def test_a_page_item_that_nobody_compared_brings_its_category(shop: Any) -> None:
    answer = ask(shop, placement="item", item_id="i29")
    assert answer.served_by == "segment"
    assert ids(answer)[0] == "i20"
    assert answer.items[0].reason.code == "same_category"


def test_a_page_item_unknown_to_the_release_leaves_what_is_popular(shop: Any) -> None:
    assert ask(shop, placement="item", item_id="new").served_by == "popular"


def test_long_term_taste_leads_and_says_so(shop: Any) -> None:
    answer = ask(shop, persons=("u-skirts",))
    assert answer.served_by == "personalised"
    assert ids(answer)[:2] == ["i3", "i4"]
    assert answer.items[0].reason.code == "long_term_taste"
    assert answer.items[0].reason.because_item_id is None


def test_the_id_before_login_serves_when_the_other_is_unknown(shop: Any) -> None:
    assert ids(ask(shop, persons=("new", "u-skirts")))[0] == "i3"


def test_three_clicks_in_another_category_change_the_list(shop: Any) -> None:
    before = ask(shop, persons=("u-skirts",))
    assert {one.item.category for one in before.items} == {"skirts"}
    after = ask(shop, recent=["i24", "i22", "i20"], persons=("u-skirts",))
    lamps = [one for one in after.items if one.item.category == "lamps"]
    assert len(lamps) >= 3
    assert after.items[0].item.category == "lamps"
    assert lamps[0].reason.code == "similar_to_recent"
    assert lamps[0].reason.because_item_id in {"i24", "i22", "i20"}
    assert not {"i24", "i22", "i20"} & set(ids(after))


def test_clicks_that_the_release_cannot_compare_still_bring_their_category(tiny: Any) -> None:
    items = [tiny.item(f"i{n}", "skirts" if n < 20 else "lamps") for n in range(30)]
    tastes = {"u": {n: 1.0 for n in range(20)}}
    shop = tiny.shop(tiny.model([item.item_id for item in items], {}, tastes), items)
    answer = ask(shop, recent=["i29", "i28", "i27"], persons=("u",))
    lamps = [one for one in answer.items if one.item.category == "lamps"]
    assert len(lamps) >= 3
    assert lamps[0].reason.code == "same_category"
    assert lamps[0].reason.because_item_id == "i29"


def test_newer_clicks_weigh_more(shop: Any) -> None:
    answer = ask(shop, recent=["i20", "i10"], persons=("new",))
    assert ids(answer).index("i21") < ids(answer).index("i11")


WEEK_S = 7 * 86_400.0


def after_a_week(shop: Any, now: Sequence[str], **asked: Any) -> Answer:
    """The skirts of a week ago, then ``now``, a minute apart."""
    acts = [LastAct(item_id, 60.0 * (place + 1)) for place, item_id in enumerate(now)]
    acts += [LastAct(f"i{n}", WEEK_S + 60 * n) for n in range(5)]
    return recommend(Request("a", limit=10, **asked), shop.shelf, shop.catalogue, lambda *_: acts)


@pytest.mark.parametrize("placement", ["item", "cart"])
def test_a_page_follows_the_visit_and_not_the_week_before(shop: Any, placement: Any) -> None:
    """Who looked at skirts last week and opens a lamp is shown what goes with the lamp, as if the skirts had never been."""
    asked = {"placement": placement, "item_id": "i22", "persons": ("p",)}
    assert ids(after_a_week(shop, [], **asked)) == ids(ask(shop, **asked))
    answer = after_a_week(shop, ["i22", "i21"], **asked)
    assert ids(answer)[0] == "i23"
    assert not [one for one in answer.items if one.reason.because_item_id in {f"i{n}" for n in range(5)}]


def test_on_a_page_the_page_leads_the_visit(shop: Any) -> None:
    answer = ask(shop, ["i14", "i12", "i11"], placement="item", item_id="i22", persons=("p",))
    assert (ids(answer)[0], answer.items[0].reason.code) == ("i23", "similar_to_item")


def test_at_home_old_acts_fade_and_a_click_now_leads(shop: Any) -> None:
    lists = [after_a_week(shop, now, placement="home", persons=("p",)) for now in ([], ["i22"])]
    assert {one.item.category for one in lists[0].items[:3]} == {"skirts"}
    assert lists[1].items[0].item.item_id == "i23"


def test_a_visit_ends_with_a_pause_of_more_than_thirty_minutes() -> None:
    assert visit_length([]) == visit_length([1801.0, 1802.0]) == 0
    assert visit_length([1800.0, 3600.0, 5400.5]) == 2


def test_what_was_just_seen_comes_last_and_is_not_lost(tiny: Any) -> None:
    items = [tiny.item(f"i{n}") for n in range(4)]
    shop = tiny.shop(tiny.model([item.item_id for item in items]), items)
    assert ids(ask(shop, recent=["i0"], persons=("p",)))[-1] == "i0"
    assert len(ids(ask(shop, recent=["i0"], persons=("p",)))) == 4


def test_when_all_that_is_left_was_just_seen_one_sold_out_item_does_not_end_the_list(tiny: Any) -> None:
    items = [tiny.item(f"i{n}") for n in range(3)]
    shop = tiny.shop(tiny.model([item.item_id for item in items]), items)
    shop.catalogue.put(tiny.item("i0", stock=0, at_ms=2))
    shop.catalogue.put(tiny.item("i1", stock=0, at_ms=2))
    assert ids(ask(shop, recent=["i0", "i1", "i2"], persons=("p",), limit=1)) == ["i2"]


def test_a_sold_out_or_blocked_item_leaves_at_once_and_comes_back(shop: Any, tiny: Any) -> None:
    assert ids(ask(shop, limit=3)) == ["i0", "i1", "i2"]
    for item in (tiny.item("i0", "skirts", stock=0, at_ms=2), tiny.item("i1", "skirts", status="blocked", at_ms=2)):
        shop.catalogue.put(item)
        shop.shelf.refresh(item)
    assert ids(ask(shop, limit=3)) == ["i2", "i3", "i4"]
    back = tiny.item("i0", "skirts", stock=1, at_ms=3)
    shop.catalogue.put(back)
    shop.shelf.refresh(back)
    assert ids(ask(shop, limit=1)) == ["i0"]


def test_the_guard_sees_a_change_that_the_shelf_has_not_seen(shop: Any, tiny: Any) -> None:
    shop.catalogue.put(tiny.item("i0", "skirts", stock=0, at_ms=2))
    assert ids(ask(shop, limit=3)) == ["i1", "i2", "i3"]


def test_no_release_is_an_error_of_its_own(shop: Any) -> None:
    shop.shelf = None
    with pytest.raises(NoRelease):
        ask(shop)


NUMBERS = st.integers(0, 11)


@settings(max_examples=120, deadline=None)
@given(
    states=st.lists(
        st.tuples(st.booleans(), st.sampled_from(["active", "inactive", "blocked"]), st.integers(0, 2), st.sampled_from("xyz")),
        min_size=12,
        max_size=12,
    ),
    changed=st.lists(st.tuples(NUMBERS, st.integers(0, 1)), max_size=4),
    near=st.dictionaries(NUMBERS, st.dictionaries(NUMBERS, st.floats(-1, 1), max_size=4), max_size=6),
    taste=st.one_of(st.none(), st.dictionaries(NUMBERS, st.floats(-2, 2), max_size=6)),
    recent=st.lists(st.sampled_from([f"i{n}" for n in range(12)] + ["elsewhere"]), max_size=20),
    item_id=st.sampled_from([None, "i0", "i5", "elsewhere"]),
    limit=st.integers(1, 15),
    placement=st.sampled_from(["home", "item", "cart", "after_payment"]),
)
def test_never_an_item_that_may_not_be_shown(
    tiny: Any,
    states: list[tuple[bool, str, int, str]],
    changed: list[tuple[int, int]],
    near: dict[int, dict[int, float]],
    taste: dict[int, float] | None,
    recent: list[str],
    item_id: str | None,
    limit: int,
    placement: str,
) -> None:
    model = tiny.model([f"i{n}" for n in range(12)], near, {} if taste is None else {"p": taste})
    in_catalogue = [
        tiny.item(f"i{n}", category, stock=stock, status=status)
        for n, (is_known, status, stock, category) in enumerate(states)
        if is_known
    ]
    shop = tiny.shop(model, [*in_catalogue, tiny.item("not-in-the-release")])
    for number, stock in changed:
        if shop.catalogue.get(f"i{number}") is not None:
            shop.catalogue.put(tiny.item(f"i{number}", stock=stock, at_ms=9))
    answer = ask(shop, recent=recent, persons=("p",), item_id=item_id, limit=limit, placement=placement)
    shown = ids(answer)
    may_be_shown = {
        item.item_id
        for item in shop.catalogue.items.values()
        if item.status == "active" and item.stock > 0 and item.item_id != item_id and item.item_id in model.item_ids
    }
    assert set(shown) <= may_be_shown
    assert len(shown) == len(set(shown)) <= limit
    # An item that came back after the shelf was built waits for its refresh; all others must be shown while there is room.
    on_shelf = {f"i{n}" for n in range(12) if shop.shelf.sellable[n]}
    assert len(shown) == min(limit, len(may_be_shown & on_shelf))
    for one in answer.items:
        assert one.reason.zh
        assert one.reason.en
        if one.reason.because_item_id is not None:
            assert one.reason.because_item_id in {*recent, item_id}
