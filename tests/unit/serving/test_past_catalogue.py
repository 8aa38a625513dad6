"""A question of the past is answered from the catalogue as it was known then: nothing of later, no change before it counts."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest
from scipy import sparse

from jishi.catalogue import ItemState
from jishi.contract import record_of
from jishi.contract.fields import parse_instant, to_ms
from jishi.tables import SILVER_EVENTS, SILVER_INTERACTIONS, SILVER_ITEMS
from models.candidates.usual_prices import UsualPrices, currency_key
from models.data.interactions import Interactions
from models.data.sequences import Sequences
from models.evaluation.placement_questions import Cases
from serving.candidates import Quotas
from serving.log_records import Lateness, change_of
from serving.moment import Moment
from serving.past_catalogue import PastCatalogue, item_of
from serving.past_questions import LENGTH, Question, RankedLists, ShelfAnswers, served_lists
from serving.recommend import Answer, recommend
from serving.request import Request
from tests.lake import newest, record

CUT = datetime(2026, 9, 20)  # noqa: DTZ001 (the lake keeps UTC instants without a zone)
QUOTAS = Quotas(new=5, on_sale=5)
IDS = ("cut", "kept", "late", "tea")


def day(number: float) -> datetime:
    return CUT + timedelta(days=number)


def ms(number: float) -> int:
    return to_ms(day(number).replace(tzinfo=UTC))


def change(
    item_id: str, at: float, *, known: float | None = None, repaired: float | None = None, **state: Any
) -> dict[str, Any]:
    """A row of silver/events: the state of an item ``at`` days after the cut."""
    properties = {"item_id": item_id, "title": "t", "category": "c", "unit_price_minor": 1000, "currency": "CNY", "stock": 5}
    row = {"shop_id": "a", "type": "item_changed", "item_id": item_id, "occurred_at": day(at)}
    row |= {"received_at": day(at if known is None else known), "repaired_at": None if repaired is None else day(repaired)}
    row |= {"unit_price_minor": (properties | state)["unit_price_minor"], "event_id": f"{item_id}-{at}-{known}"}
    return row | {"line": orjson.dumps({"properties": properties | state}).decode()}


def act(item_id: str, at: float) -> dict[str, Any]:
    row = {
        "shop_id": "a",
        "event_id": f"{item_id}-{at}",
        "person_id": "u:1",
        "item_id": item_id,
        "kind": "view",
        "line_number": 0,
    }
    return row | {"occurred_at": day(at), "received_at": day(at)}


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., PastCatalogue]:
    """The catalogue of the cut in a lake with these states and acts."""

    def past(*states: dict[str, Any], acts: tuple[dict[str, Any], ...] = ()) -> PastCatalogue:
        items = [{"shop_id": "a", "item_id": item_id} for item_id in dict.fromkeys(state["item_id"] for state in states)]
        record(tmp_path, {SILVER_EVENTS: states, SILVER_INTERACTIONS: acts, SILVER_ITEMS: items})
        return PastCatalogue.read(newest(tmp_path), "a", np.datetime64(CUT, "us"))

    return past


def asked(past: PastCatalogue, shelf: Any, at: float) -> Answer:
    past.move_to(ms(at))
    return recommend(
        *(Request("a", "home", 10), shelf, past.catalogue, lambda *_: ()),
        with_candidates=True,
        moment=Moment(ms(at)),
        quotas=QUOTAS,
    )


def brought(answer: Answer, source: str) -> set[str]:
    return set((answer.candidates or {}).get(source, {}))


def shown(answer: Answer) -> set[str]:
    return {one.item.item_id for one in answer.items}


def test_a_price_that_was_cut_after_the_moment_is_no_sale_then(read: Any, tiny: Any) -> None:
    past = read(change("cut", -30), change("cut", 2, unit_price_minor=500), change("kept", -30))
    usual = UsualPrices(np.full(2, 1000, dtype=np.float32), np.full(2, currency_key("CNY")))
    shelf = past.shelf(tiny.model(["cut", "kept"], usual_prices=usual))
    assert brought(asked(past, shelf, 0), "on_sale") == set()
    assert brought(asked(past, shelf, 1.99), "on_sale") == set()
    assert brought(asked(past, shelf, 2), "on_sale") == {"cut"}


def test_what_came_into_stock_or_was_listed_later_is_neither_new_nor_offered(read: Any, tiny: Any) -> None:
    stocked = day(3).isoformat() + "Z"
    past = read(
        *(change("late", -30, stock=0), change("late", 3, stocked_at=stocked), change("kept", -30)),
        *(change("tea", 5), change("kept", 6, status="inactive")),
    )
    shelf = past.shelf(tiny.model(["late", "kept", "tea"]))
    assert shown(asked(past, shelf, 0)) == {"kept"}
    assert brought(asked(past, shelf, 2.9), "new") == set()
    assert brought(asked(past, shelf, 3), "new") == {"late"}
    assert shown(asked(past, shelf, 5)) == {"late", "kept", "tea"}
    assert shown(asked(past, shelf, 7)) == {"late", "tea"}


def test_a_change_counts_from_when_it_is_known_a_repaired_one_from_its_repair(read: Any) -> None:
    past = read(
        *(change("cut", -30), change("cut", -1, known=2, unit_price_minor=900)),
        *(change("late", -30), change("late", -1, known=-1, repaired=3, unit_price_minor=800)),
        *(change("tea", -30), change("tea", 1, known=-1, unit_price_minor=700)),  # of a fast clock
        *(change("kept", -30), change("kept", 0, unit_price_minor=600)),  # the instant itself
        change("kept", -2, known=4, unit_price_minor=1),  # what was true before is so no more when it is known
    )

    def prices(at: float) -> list[int]:
        past.move_to(ms(at))
        return [past.catalogue.items[item_id].unit_price_minor for item_id in IDS]

    assert prices(0) == [1000, 600, 1000, 1000]
    assert prices(1) == [1000, 600, 1000, 700]
    assert prices(2) == [900, 600, 1000, 700]
    assert prices(5) == [900, 600, 800, 700]
    assert prices(0) == [900, 600, 800, 700], "it does not go back"


def test_a_catalogue_that_was_sent_later_still_gives_lists(read: Any, tiny: Any) -> None:
    sent: dict[str, Any] = {"stocked_at": day(-1).isoformat() + "Z", "region": "上海", "unit_price_minor": 100}
    past = read(
        *(change("cut", 9, category="skirts", **sent), change("cut", 10, category="sale"), change("kept", 9, stock=0)),
        *(change("tea", 9), change("late", 9)),
        acts=(act("cut", -5), act("cut", -4), act("kept", -5), act("late", 2)),
    )
    usual = UsualPrices(np.full(4, 1000, dtype=np.float32), np.full(4, currency_key("USD")))
    shelf = past.shelf(tiny.model(list(IDS), usual_prices=usual))
    answer = asked(past, shelf, 0)
    assert shown(answer) == {"cut", "kept"}
    assert brought(answer, "new") | brought(answer, "on_sale") == set()
    item = past.catalogue.items["cut"]
    assert (item.category, item.region, item.stocked_at_ms, item.home_price_minor) == ("skirts", None, None, None)
    assert shown(asked(past, shelf, 2)) == {"cut", "kept", "late"}
    assert shown(asked(past, shelf, 9)) == {"cut", "late", "tea"}


def test_what_the_log_does_not_wholly_describe_is_as_silver_has_it(tmp_path: Path) -> None:
    item = {"shop_id": "a", "item_id": "cut", "title": "t", "category": "c", "stock": 0, "stocked_at": day(1)}
    states = [change("cut", -9) | {"line": None}, change("cut", -8, title=None), change("cut", 8, currency=None)]
    record(tmp_path, {SILVER_ITEMS: [item], SILVER_INTERACTIONS: [act("cut", -5), act("gone", -5)], SILVER_EVENTS: states})
    past = PastCatalogue.read(newest(tmp_path), "a", np.datetime64(CUT, "us"))
    assert list(past.catalogue.items) == ["cut"]
    assert past.catalogue.items["cut"].is_sellable
    assert past.catalogue.items["cut"].stocked_at_ms is None


def test_each_question_meets_the_catalogue_of_its_moment_in_whatever_order_they_come(read: Any, tiny: Any) -> None:
    past = read(change("kept", -30), change("cut", -30), change("cut", 2, stock=0), change("tea", 4))
    shelf = past.shelf(tiny.model(["cut", "kept", "tea"]))
    days = (5.0, -9.0, 2.5, 0.5)
    ids, none = np.array(["cut", "kept", "tea"]), np.empty(0, dtype=np.int64)
    never = np.empty(0, dtype="datetime64[us]")
    acts = Interactions(np.array(["p"]), ids, none, none, np.empty(0, dtype=np.str_), never, never)
    nothing = sparse.csr_matrix((len(days), 3), dtype=np.float32)
    masked = sparse.csr_matrix(([1.0], ([3], [1])), shape=nothing.shape)
    given = Sequences(none, np.zeros(len(days) + 1, dtype=np.int64), 3)
    cases = Cases(np.zeros(len(days), dtype=np.int64), given, nothing, masked, np.array([day(each) for each in days]))
    questions = [Question("home", row, Request("a", "home", LENGTH), (), Moment(ms(each))) for row, each in enumerate(days)]
    best = np.full((len(days), LENGTH), -1)
    best[:, 0] = 2
    served: dict[str, dict[str, ShelfAnswers | RankedLists]] = {
        "home": {"ladder": ShelfAnswers(shelf), "popularity": RankedLists(best, np.array([0, 1, 2]), shelf)}
    }
    lists = served_lists(past, questions, served, {"home": cases}, acts)["home"]
    assert [set(row.tolist()) - {-1} for row in lists["ladder"]] == [{1, 2}, {0, 1}, {1}, {0, 1}]
    assert [[each for each in row.tolist() if each >= 0] for row in lists["popularity"]] == [[2, 1], [0, 1], [1], [0]]


def test_a_state_of_the_log_is_the_item_that_serving_follows_live() -> None:
    properties: dict[str, Any] = {
        **{
            "item_id": "i1",
            "title": "褙子",
            "title_en": "Coat",
            "category": "裙装",
            "brand": "b",
            "attributes": {"b": "2", "a": "1"},
        },
        **{"unit_price_minor": 100, "currency": "USD", "home_currency": "CNY", "home_unit_price_minor": 700, "stock": 0},
        **{"status": "inactive", "region": "上海", "unit_cost_minor": 60, "stocked_at": "2026-09-01T08:00:00+08:00"},
    }
    for sent in (
        properties,
        {name: properties[name] for name in ("item_id", "title", "category", "unit_price_minor", "currency")},
    ):
        event = {"event_id": "e1", "shop_id": "a", "type": "item_changed", "occurred_at": "2026-09-02T00:00:00.123Z"}
        built, _ = record_of(event | {"properties": sent}, shop_id="a", collector_id="c", seq=0, collected_at_ms=ms(0))
        known, at = day(0).replace(tzinfo=UTC), parse_instant(event["occurred_at"])
        state = ItemState("i1", at, known, known, "e1", orjson.loads(built["line"])["properties"])
        assert change_of(orjson.dumps(built), ms(0), Lateness(30, 5)) == ("a", item_of(state))
