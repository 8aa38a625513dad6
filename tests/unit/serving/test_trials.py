"""Each rung of the ladder answers a small share of the requests, chosen by their ids, and is named and counted."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from typer.testing import CliRunner

from jishi.settings import get_settings
from jishi.shops import Shop, Shops
from ops.cli.shops import app
from serving.decisions import is_sampled
from serving.orders import PaidOrder
from serving.recent import LastAct
from serving.recommend import recommend
from serving.request import Request
from serving.trials import ARMS, RUNGS, rung_of, rung_to_try

ACTS = [LastAct("i21", 60.0), LastAct("i12", 90_000.0)]


def answer_of(shop: Any, tried: str | None, acts: list[LastAct] = ACTS, **named: Any) -> Any:
    asked: dict[str, Any] = {"shop_id": "s", "placement": "home", "limit": 6, "persons": ("u-skirts",)} | named
    return recommend(Request(**asked), shop.shelf, shop.catalogue, lambda *_: acts, tried=tried)  # type: ignore[arg-type]


def kinds(answer: Any) -> set[str]:
    return {one.item.category for one in answer.items}


def sources(answer: Any) -> set[str]:
    return {name for name, strength in answer.workings.candidates.strengths().items() if strength.any()}


def test_every_rung_has_an_equal_part_of_the_share_whatever_is_sampled() -> None:
    ids = [f"request {number}" for number in range(40_000)]
    rungs = Counter(rung_to_try(each, 0.04) for each in ids)
    assert rungs.keys() == {None, *RUNGS}
    for rung in RUNGS:
        assert rungs[rung] == pytest.approx(400, abs=80)
    both = [each for each in ids if rung_to_try(each, 0.04) and is_sampled(each, 0.1)]
    assert len(both) == pytest.approx(160, abs=50), "the logged sample has trials as it has all else"
    assert {rung_to_try(each, 0.0) for each in ids[:1_000]} == {None}
    assert {rung_to_try(each, 0.01) for each in ids if rung_to_try(each, 0.04) is None} == {None}
    assert [rung_of(arm) for arm in ARMS] == [*RUNGS]
    assert rung_of("ranked") is None


def test_no_rung_above_the_one_that_is_tried_has_a_say(shop: Any) -> None:
    best = answer_of(shop, None)
    assert sources(best) == {"taste", "recent", "category", "popularity"}
    session = answer_of(shop, "session")
    assert (session.served_by, sources(session)) == ("personalised", {"recent", "category", "popularity"})
    assert "i13" not in {one.item.item_id for one in session.items}, "the tea of yesterday is no part of this visit"
    segment = answer_of(shop, "segment")
    assert (segment.served_by, sources(segment)) == ("segment", {"category", "popularity"})
    popular = answer_of(shop, "popular")
    assert (popular.served_by, sources(popular), kinds(popular)) == ("popular", {"popularity"}, {"skirts"})
    assert {answer.tried for answer in (best, session, segment, popular)} == {None, "session", "segment", "popular"}


def test_the_model_of_a_placement_is_above_every_rung_that_is_tried(shop: Any, tiny: Any) -> None:
    shop.model.placed["home"] = tiny.placed(30, lists={"u-skirts": [(25, 1.0, "bought_often", -1)]}, name="best_of_home")
    assert answer_of(shop, None).model == "best_of_home"
    for rung in ("session", "segment", "popular"):
        assert answer_of(shop, rung).model == "ladder"
    shop.model.sold_placements = frozenset({"home"})
    assert answer_of(shop, "session").served_by == "popular", "what the gate refused is not tried on anybody"


def test_the_segment_answers_who_has_no_history(shop: Any, tiny: Any) -> None:
    """Of a page's item nobody has compared or the release does not know, of the cart, and of what somebody bought."""
    nobody: dict[str, Any] = {"acts": [], "persons": ()}
    assert answer_of(shop, None, **nobody).served_by == "popular"
    compared = answer_of(shop, None, placement="item", item_id="i29", **nobody)
    assert (compared.served_by, compared.items[0].item.item_id) == ("segment", "i20")
    shop.catalogue.put(tiny.item("just in", "lamps"))
    new = answer_of(shop, None, placement="item", item_id="just in", **nobody)
    assert (new.served_by, new.items[0].item.item_id) == ("segment", "i20")
    assert (new.items[0].reason.code, new.items[0].reason.because_item_id) == ("same_category", None)
    cart = answer_of(shop, None, placement="cart", cart=("i18", "i19"), **nobody)
    assert (cart.served_by, cart.items[0].item.item_id) == ("segment", "i10")
    shop.model.bought["u:buyer"] = [12, 14, 25]
    buyer = answer_of(shop, None, acts=[], persons=("u:buyer",))
    assert (buyer.served_by, buyer.items[0].item.item_id) == ("segment", "i10")
    assert buyer.items[0].reason.code == "popular_in_category"
    shop.catalogue.put(tiny.item("odd", "a category without a sale"))
    assert answer_of(shop, None, placement="item", item_id="odd", **nobody).served_by == "popular"


def test_trials_are_logged_counted_and_none_of_them_explores(api: Any) -> None:
    api.engine.settings.ladder_trials = 1.0
    lines: list[Any] = []
    api.engine.decisions.note = lines.append
    for number in range(60):
        for person in range(4):
            api.engine.orders.put(PaidOrder("a", f"{number} {person}", (f"i{number % 30}",), (), 1))
    api.engine.recent.last_acts = lambda *_: ACTS
    answers = [api.engine.answer(Request("a", "home", 6, ("u:u-skirts",)), f"r{number}") for number in range(80)]
    assert {answer.tried for answer in answers} == {*RUNGS}
    bundled = next(answer for answer in answers if answer.tried == "bundled")
    assert (bundled.served_by, bundled.model, bundled.model_version) == ("bundled", "bundled", "none")
    assert len(bundled.items) == 6
    logged = [b'"arm":"tried_%b"' % answer.tried.encode() in entry.line() for answer, entry in zip(answers, lines, strict=True)]
    assert logged == [True] * 80
    page = api.client.get("/metrics").text
    for rung, count in Counter(answer.tried for answer in answers).items():
        assert f'jishi_ladder_trials_total{{rung="{rung}"}} {count}.0' in page
    with_filter = api.engine.answer(Request("a", "home", 20, ()), "r1")  # 30 items sold are not enough to choose 20 of
    assert with_filter.tried != "bundled"


def test_a_shop_without_a_release_is_bundled_and_tries_nothing(api: Any, shop: Any) -> None:
    api.engine.states.of("b").use_snapshot(dict(shop.catalogue.items))
    api.engine.settings.ladder_trials = 1.0
    api.engine.recent.last_acts = lambda *_: ACTS
    answers = [api.engine.answer(Request("b", "home", 6, ("u:1",)), f"r{number}") for number in range(20)]
    assert {(answer.served_by, answer.tried) for answer in answers} == {("bundled", None)}
    assert api.get("/v1/shops/b/recommendations", key="b").json()["served_by"] == "bundled"
    assert 'jishi_recommendation_requests_total{served_by="bundled",status="200"} 1.0' in api.client.get("/metrics").text


def test_two_who_opted_out_get_the_same_of_every_arm(api: Any, shop: Any) -> None:
    api.engine.settings.ladder_trials = 1.0
    shop.model.tastes |= {"u:1": {3: 1.0}, "u:2": {24: 1.0}}
    shop.model.bought |= {"u:1": [12], "u:2": [25]}
    histories = {"u:1": ACTS, "u:2": [LastAct("i5", 10.0)]}
    api.engine.recent.last_acts = lambda _, persons: [act for person in persons for act in histories[person]]
    for number in range(40):
        asked = [Request("a", "item", 6, (person,), item_id="i4").of_nobody() for person in histories]
        first, second = (api.engine.answer(each, f"r{number}") for each in asked)
        assert first == second


def test_a_shop_sets_its_share(monkeypatch: pytest.MonkeyPatch, api: Any) -> None:
    monkeypatch.setenv("JISHI_VAR", str(api.engine.paths.var))
    get_settings.cache_clear()
    api.engine.settings.ladder_trials = 0.1

    def share(*options: str) -> float:
        assert CliRunner().invoke(app, ["trials", "a", *options]).exit_code == 0
        api.engine.keys.reload()
        return float(api.engine.keys.trial_share("a", api.engine.settings.ladder_trials))

    assert (share("--share", "0"), share("--share", "0.05"), share()) == (0.0, 0.05, 0.1)
    assert CliRunner().invoke(app, ["trials", "a", "--share", "0.5"]).exit_code == 2
    assert CliRunner().invoke(app, ["trials", "nobody"]).exit_code == 2
    get_settings.cache_clear()
    assert Shops(shops={"x": Shop(shop_id="x", name="x", ladder_trials=0.1)}).model_dump()["shops"]["x"]["ladder_trials"] == 0.1
