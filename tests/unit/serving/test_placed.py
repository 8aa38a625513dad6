"""Placements that have a model of their own: what it is asked, what it gives, its reasons, and when the ladder answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jishi.placements import Placement
from models.candidates.context_models import CONTEXTS
from models.candidates.person_lists import ORIGINS
from models.candidates.recipes import RECIPES
from serving.reasons import SOURCES, explain
from serving.recent import LastAct
from serving.recommend import LADDER, Answer, recommend
from serving.request import AS_HOME, Request


def ask(shop: Any, recent: Sequence[str] = (), **asked: Any) -> Answer:
    request = Request(**({"shop_id": "a", "placement": "home", "limit": 5} | asked))
    acts = [LastAct(item_id, 60.0 * (place + 1)) for place, item_id in enumerate(recent)]
    return recommend(request, shop.shelf, shop.catalogue, lambda _shop, persons: acts if persons else ())


def reasons_of(answer: Answer) -> list[tuple[str, str]]:
    return [(one.item.item_id, one.reason.code) for one in answer.items]


@pytest.fixture
def placed(shop: Any, tiny: Any) -> Any:
    """Every placement of the shop of 30 items has a model: 4 leads on to 20 and 21; "u" buys 15 often and is due for 16."""
    lists = {"u": [(15, 1.0, "bought_often", -1), (16, 0.6, "due_again", -1), (17, 0.4, "like_yours", 15)]}
    for placement in get_args(Placement):
        built = tiny.placed(30, {4: {20: 1.0, 21: 0.5}}, lists, name=f"best_of_{placement}")
        shop.model.placed[placement] = built
    return shop


def test_serving_has_a_placement_for_each_that_models_judge_and_words_for_every_origin() -> None:
    assert set(get_args(Placement)) - set(AS_HOME) == set(RECIPES)
    assert {*ORIGINS, *(context.reason for context in CONTEXTS.values())} <= SOURCES


@pytest.mark.parametrize("source", sorted(SOURCES))
def test_every_reason_speaks_both_languages_with_and_without_its_cause(tiny: Any, source: str) -> None:
    plain, caused = explain(source, None), explain(source, tiny.item("x", "茶"))
    assert plain.because_item_id is None
    assert plain.zh
    assert plain.en.isascii()
    if caused.because_item_id is not None:
        assert (caused.because_item_id, caused.code) == ("x", plain.code)
        assert "标题x" in caused.zh
        assert "Title x" in caused.en


def test_home_and_after_payment_are_answered_from_the_persons_list(placed: Any) -> None:
    for placement in ("home", "after_payment"):
        answer = ask(placed, placement=placement, persons=("nobody", "u"))
        assert (answer.model, answer.served_by) == (f"best_of_{placement}", "personalised")
        assert reasons_of(answer)[:3] == [("i15", "bought_often"), ("i16", "due_again"), ("i17", "like_yours")]
        assert answer.items[0].reason.en == "You buy this often"
        assert answer.items[1].reason.zh == "该再买这件商品了"
        assert answer.items[2].reason.because_item_id == "i15"
        assert "Title i15" in answer.items[2].reason.en
        assert placed.model.placed[placement].asked == [[]]


def test_the_item_page_asks_with_the_visit_so_far_and_the_page_last(placed: Any) -> None:
    answer = ask(placed, ["i4", "i7", "i9"], placement="item", item_id="i4", persons=("v",))
    assert placed.model.placed["item"].asked == [[9, 7, 4]]
    assert answer.model == "best_of_item"
    assert reasons_of(answer)[:2] == [("i20", "viewed_next"), ("i21", "viewed_next")]
    reason = answer.items[0].reason
    assert reason.because_item_id == "i4"
    assert (reason.zh, reason.en) == ("看过「标题i4」的人接着看了", 'People who looked at "Title i4" looked at this next')


def test_a_stranger_on_an_item_page_is_answered_by_the_model(placed: Any) -> None:
    answer = ask(placed, placement="item", item_id="i4")
    assert (answer.model, answer.served_by) == ("best_of_item", "item_based")
    assert reasons_of(answer)[0] == ("i20", "viewed_next")


def test_the_cart_asks_with_its_items_and_never_shows_them(placed: Any) -> None:
    answer = ask(placed, ["i9"], placement="cart", cart=("i20", "i4"), persons=("u",))
    assert placed.model.placed["cart"].asked == [[20, 4]]
    assert answer.model == "best_of_cart"
    assert {"i15", "i21"} <= {item_id for item_id, _ in reasons_of(answer)}
    assert not {"i20", "i4"} & {item_id for item_id, _ in reasons_of(answer)}


def test_a_cart_that_nobody_tells_is_guessed_from_the_page_and_the_last_items(placed: Any) -> None:
    ask(placed, ["i9", "i8"], placement="cart", persons=("u",))
    ask(placed, ["i9", "i4"], placement="cart", item_id="i4", persons=("u",))
    assert placed.model.placed["cart"].asked == [[8, 9], [9, 4]]


def test_after_payment_asks_with_the_items_just_paid_and_leaves_them_out(placed: Any) -> None:
    answer = ask(placed, placement="after_payment", persons=("u",), order=("i15", "i4"))
    assert placed.model.placed["after_payment"].asked == [[15, 4]]
    assert (answer.model, answer.served_by) == ("best_of_after_payment", "personalised")
    # 15 leads the person's list because they buy it often; they have just done so.
    assert {("i16", "due_again"), ("i20", "viewed_next")} == {*reasons_of(answer)[:2]}
    assert not {"i15", "i4"} & {item_id for item_id, _ in reasons_of(answer)}


def test_what_is_soon_bought_again_is_offered_again(placed: Any) -> None:
    placed.model.bought_again = [15]
    answer = ask(placed, placement="after_payment", persons=("u",), order=("i15", "i4"))
    assert ("i15", "bought_often") in reasons_of(answer)
    assert "i4" not in {item_id for item_id, _ in reasons_of(answer)}


def test_a_guest_who_paid_is_answered_from_the_order(placed: Any, tiny: Any) -> None:
    answer = ask(placed, placement="after_payment", order=("i4",))
    assert (answer.model, answer.served_by) == ("best_of_after_payment", "item_based")
    assert reasons_of(answer)[0] == ("i20", "viewed_next")
    del placed.model.placed["after_payment"]  # the ladder looks at the order, too
    answer = ask(placed, placement="after_payment", order=("i4",))
    assert (answer.model, reasons_of(answer)[0]) == (LADDER, ("i5", "similar_to_item"))


@pytest.mark.parametrize("placement", get_args(Placement))
def test_exclude_purchased_leaves_out_what_was_bought_or_nothing(placed: Any, placement: Any) -> None:
    placed.model.bought, placed.model.bought_again = {"u": [16, 17]}, [15, 16]
    asked = {"placement": placement, "persons": ("u",), "order": ("i15",), "bought": frozenset({"i20"}), "limit": 28}
    asked |= {"item_id": "i4"} if placement == "item" else {}
    shown = {
        choice: {item_id for item_id, _ in reasons_of(ask(placed, excludes_purchased=choice, **asked))}
        for choice in (True, False)
    }
    assert not shown[True] & {"i15", "i16", "i17", "i20"}
    assert shown[False] >= {"i15", "i16"}


def test_what_a_shopper_does_now_still_changes_home(placed: Any) -> None:
    before = reasons_of(ask(placed, persons=("u",), limit=10))
    after = ask(placed, ["i0", "i1", "i2"], persons=("u",), limit=10)
    assert after.model == "best_of_home"
    assert sum(item_id in {f"i{n}" for n in range(10)} for item_id, _ in reasons_of(after)) >= 3
    assert ("i3", "similar_to_recent") in reasons_of(after)
    assert ("i15", "bought_often") in reasons_of(after)
    assert reasons_of(after) != before


def test_the_ladder_answers_where_the_model_has_nothing_to_say(placed: Any) -> None:
    for placement, asked in (
        ("home", {"persons": ("stranger",)}),
        ("after_payment", {}),
        ("cart", {"item_id": "i12"}),
        ("item", {"item_id": "i12"}),
        ("item", {"item_id": "i12", "persons": ("u",)}),  # a list that ignores the page would be no answer
    ):
        answer = ask(placed, placement=placement, **asked)
        assert answer.model == LADDER
        if "item_id" in asked:
            assert reasons_of(answer)[0] == ("i13", "similar_to_item")


def test_a_release_without_a_model_for_the_placement_leaves_it_to_the_ladder(shop: Any) -> None:
    assert {ask(shop, placement=placement, item_id="i1").model for placement in get_args(Placement)} == {LADDER}


def test_where_not_even_the_ladder_is_better_what_sells_answers(placed: Any) -> None:
    placed.model.sold_placements = frozenset({"item"})
    answer = ask(placed, ["i12"], placement="item", item_id="i4", persons=("u",))
    assert (answer.model, answer.served_by) == ("popularity", "popular")
    assert reasons_of(answer) == [(f"i{number}", "popular") for number in (0, 1, 2, 3, 5)]
    assert ask(placed, placement="cart", item_id="i4").model == "best_of_cart"


NUMBER = st.integers(0, 11)
WEIGHTS = st.dictionaries(NUMBER, st.floats(0.0625, 5, width=32), min_size=1, max_size=6)
ENTRIES = st.lists(
    st.tuples(NUMBER, st.floats(0.0625, 5, width=32), st.sampled_from(sorted(ORIGINS)), st.integers(-1, 11)),
    min_size=1,
    unique_by=lambda entry: entry[0],
)


@settings(deadline=None, max_examples=200)
@given(
    states=st.lists(
        st.tuples(st.booleans(), st.sampled_from(["active", "inactive"]), st.integers(0, 2)), min_size=12, max_size=12
    ),
    sold_out=st.sets(NUMBER),
    follows=st.dictionaries(NUMBER, WEIGHTS),
    lists=st.none() | ENTRIES,
    recent=st.lists(st.sampled_from([f"i{n}" for n in range(12)] + ["unknown"]), max_size=5),
    item_id=st.none() | st.sampled_from([f"i{n}" for n in range(12)] + ["unknown"]),
    cart=st.lists(st.sampled_from([f"i{n}" for n in range(12)] + ["unknown"]), max_size=3, unique=True),
    order=st.lists(st.sampled_from([f"i{n}" for n in range(12)] + ["unknown"]), max_size=3, unique=True),
    excluded=st.none() | st.booleans(),
    again=st.sets(NUMBER),
    bought=st.sets(NUMBER),
    limit=st.integers(1, 15),
    placement=st.sampled_from(get_args(Placement)),
)
def test_no_placement_ever_shows_what_may_not_be_shown(
    tiny: Any,
    states: list[tuple[bool, str, int]],
    sold_out: set[int],
    follows: dict[int, dict[int, float]],
    lists: list[tuple[int, float, str, int]] | None,
    recent: list[str],
    item_id: str | None,
    cart: list[str],
    order: list[str],
    excluded: bool | None,
    again: set[int],
    bought: set[int],
    limit: int,
    placement: Any,
) -> None:
    model = tiny.model([f"i{n}" for n in range(12)], bought_again=sorted(again), bought={"p": sorted(bought)})
    model.placed[placement] = tiny.placed(12, follows, {} if lists is None else {"p": lists})
    known = [
        tiny.item(f"i{n}", "c", stock=stock, status=status) for n, (is_known, status, stock) in enumerate(states) if is_known
    ]
    shop = tiny.shop(model, [*known, tiny.item("not-in-the-release")])
    for number in sold_out:
        if shop.catalogue.get(f"i{number}") is not None:
            shop.catalogue.put(tiny.item(f"i{number}", stock=0, at_ms=9))  # the shelf has not heard of it yet
    asked = {"item_id": item_id, "cart": tuple(cart), "order": tuple(order), "excludes_purchased": excluded}
    answer = ask(shop, recent, persons=("p",), limit=limit, placement=placement, **asked)
    left_out = {
        None: set(order) - {f"i{number}" for number in again},
        True: {*order, *(f"i{number}" for number in bought)},
        False: set(),
    }[excluded]
    shown = [one.item.item_id for one in answer.items]
    may_be_shown = {
        item.item_id
        for item in shop.catalogue.items.values()
        if item.is_sellable and item.item_id not in {item_id, *cart, *left_out} and item.item_id in model.item_ids
    }
    assert set(shown) <= may_be_shown
    assert len(shown) == len(set(shown)) == min(limit, len(may_be_shown))
    assert answer.model in {"tiny", LADDER}
    causes = {f"i{because}" for _, _, _, because in lists or ()}
    for one in answer.items:
        assert one.reason.because_item_id is None or one.reason.because_item_id in {*recent, item_id, *cart, *order, *causes}
