"""What is believed of new items follows what is shown and clicked now, as the next release would count it."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import orjson
import pytest

from jishi.contract import record_of
from jishi.tables import SILVER_EVENTS, SILVER_INTERACTIONS, SILVER_ITEMS
from models.algorithms.exploration import Belief
from models.algorithms.position_bias import MOST_PLACES
from models.candidates.click_counts import MOST_CLICKS, MOST_SHOWN
from models.candidates.newcomers import EXPLORED_PLACE
from models.training.newcomers import read_facts
from serving.consents import Consents
from serving.exploring import SLOT
from serving.feedback import Feedback, ListEvent
from serving.log_records import Lateness
from serving.orders import LiveOrders
from serving.shop_state import ShopStates
from serving.stream import LiveState, StreamHealth, apply_record
from tests.lake import newest, record

AT_MS = 1_793_491_200_000
NEW = np.arange(24, 30)
PRIOR = Belief(np.full(6, 0.4), np.full(6, 19.6))


@pytest.fixture
def new_shop(shop: Any, tiny: Any) -> Any:
    """The last six of thirty items are new; a place is looked at half as often as the one before it."""
    looked_at = 0.5 ** np.arange(MOST_PLACES)
    shop.model.newcomers = tiny.newcomers(NEW, PRIOR, looked_at=looked_at, known_to_ms=AT_MS)
    return shop


def shown(number: int, items: list[str], person: str | None = None, at_ms: int = AT_MS + 1) -> ListEvent:
    places = tuple((item_id, place) for place, item_id in enumerate(items))
    return ListEvent(f"s{number}", "a", f"q{number}", person or f"a:{number}", places, False, at_ms)


def clicked(
    number: int, item: str, person: str | None = None, position: int | None = None, at_ms: int = AT_MS + 1
) -> ListEvent:
    return ListEvent(f"c{number}", "a", f"q{number}", person or f"a:{number}", ((item, position),), True, at_ms)


def belief(shop: Any, events: list[ListEvent]) -> Belief:
    feedback = Feedback()
    for event in events:
        feedback.put(event, shop.model, shop.shelf.number_of)
    learnt = feedback.learn(shop.model)
    assert learnt is not None
    return learnt


LIST = ["i0", "i1", "i2", "i3", "i24"]  # the new one is in the explored place


def test_clicks_and_impressions_count_as_if_in_the_explored_place(new_shop: Any) -> None:
    learnt = belief(
        new_shop, [*(shown(number, LIST) for number in range(10)), *(clicked(number, "i24") for number in range(4))]
    )
    assert learnt.a - PRIOR.a == pytest.approx([4, 0, 0, 0, 0, 0])
    assert learnt.b - PRIOR.b == pytest.approx([6, 0, 0, 0, 0, 0])
    first = belief(new_shop, [shown(number, ["i25"]) for number in range(10)])
    assert first.b[1] - PRIOR.b[1] == pytest.approx(10 * 2**EXPLORED_PLACE)  # seen so much oftener than in the fifth place
    assert belief(new_shop, []).a.tolist() == PRIOR.a.tolist()


def test_a_flood_of_one_person_is_one_voice(new_shop: Any) -> None:
    clicks = belief(
        new_shop,
        [*(shown(n, LIST, "a:bot") for n in range(500)), *(clicked(n, "i24", "a:bot") for n in range(500))],
    )
    assert clicks.a[0] - PRIOR.a[0] == pytest.approx(MOST_CLICKS)
    assert clicks.b[0] - PRIOR.b[0] == pytest.approx(MOST_SHOWN - MOST_CLICKS)
    crawler = belief(new_shop, [shown(n, LIST, "a:crawler") for n in range(500)])
    assert crawler.b[0] - PRIOR.b[0] == pytest.approx(MOST_SHOWN)
    people = belief(new_shop, [*(shown(n, LIST) for n in range(50)), *(clicked(n, "i24") for n in range(50))])
    assert people.a[0] - PRIOR.a[0] == pytest.approx(50)


def test_a_restart_believes_the_same_whatever_the_order_and_the_deliveries(new_shop: Any) -> None:
    luck = Random(3)
    events = [shown(n, luck.sample([f"i{k}" for k in range(20, 30)], 8), f"a:{n % 40}") for n in range(300)]
    events += [clicked(n, luck.choice(["i24", "i26", "i29"]), f"a:{n % 40}", luck.choice([None, 2])) for n in range(0, 300, 3)]
    first = belief(new_shop, events)
    again = belief(new_shop, luck.sample(events, len(events)) + events[:50])
    assert (first.a.tolist(), first.b.tolist()) == (again.a.tolist(), again.b.tolist())


def test_what_the_release_has_seen_is_not_counted_again_and_the_next_release_takes_over(new_shop: Any, tiny: Any) -> None:
    feedback = Feedback()
    events = [
        *(shown(n, LIST, at_ms=AT_MS + n) for n in range(20)),
        *(clicked(n, "i24", at_ms=AT_MS + n) for n in range(0, 20, 2)),
    ]
    events += [shown(100, ["unknown"], at_ms=AT_MS + 50), shown(101, ["i3"], at_ms=AT_MS + 50)]
    for event in events:
        feedback.put(event, new_shop.model, new_shop.shelf.number_of)
    learnt = feedback.learn(new_shop.model)
    assert learnt is not None
    assert learnt.a[0] - PRIOR.a[0] == pytest.approx(9)  # the click of the instant that the release knows is in the release
    later = tiny.model([*new_shop.model.item_ids, "unknown"])
    looked_at = np.ones(MOST_PLACES)
    later.newcomers = tiny.newcomers(np.array([24, 30]), Belief(np.ones(2), np.ones(2)), {}, looked_at, AT_MS + 11)
    next_one = feedback.learn(later)
    assert next_one is not None
    assert next_one.a.tolist() == [1 + 4, 1]
    assert next_one.b.tolist() == [1 + 4, 1 + 1]
    old = tiny.model(new_shop.model.item_ids)
    old.newcomers = tiny.newcomers(NEW, PRIOR)
    assert feedback.learn(old) is None  # a release from before this


def test_live_events_make_the_belief_that_the_next_release_would_have(new_shop: Any, tmp_path: Path) -> None:
    """The lake has the first half of the events, the log the second; then the lake has all."""
    start = datetime(2026, 9, 1)  # noqa: DTZ001 (the lake keeps UTC instants without a zone)
    listed = [(f"i{n}", start - timedelta(days=0 if n in NEW else 60)) for n in range(30)]
    rows: list[dict[str, Any]] = [
        {"type": "item_changed", "event_id": item_id, "item_id": item_id, "occurred_at": at, "received_at": at, "line": "{}"}
        for item_id, at in listed
    ]
    events: list[ListEvent] = []
    for number in range(200):
        at = start + timedelta(minutes=number + 1)
        at_ms = int(at.replace(tzinfo=UTC).timestamp() * 1000)
        new = f"i{NEW[number % 6]}"
        events.append(shown(number, ["i0", "i1", "i2", "i3", new], at_ms=at_ms))
        rows.append(row(events[-1], at, {"item_ids": [item_id for item_id, _ in events[-1].places]}))
        if number % 5 == 0:
            events.append(clicked(number, new, at_ms=at_ms))
            rows.append(row(events[-1], at, {"item_id": new}) | {"item_id": new})

    def facts(until: datetime, var: Path) -> Any:
        items = [{"shop_id": "a", "item_id": item_id, "title": "t", "category": "c"} for item_id, _ in listed]
        kept = [{"shop_id": "a"} | each for each in rows if each["received_at"] <= until]
        act = {"shop_id": "a", "event_id": "e", "person_id": "p", "item_id": "i0", "kind": "pay", "occurred_at": start}
        record(var, {SILVER_ITEMS: items, SILVER_EVENTS: kept, SILVER_INTERACTIONS: [act | {"received_at": start}]})
        result = read_facts(newest(var), "a", new_shop.model.item_ids)
        assert result is not None
        return result

    half, whole = facts(start + timedelta(minutes=100), tmp_path / "half"), facts(start + timedelta(days=9), tmp_path / "whole")
    prior = np.full(6, 0.02)
    was, will_be = (Belief.of(prior, 20.0, each.clicked[NEW], each.examined[NEW]) for each in (half, whole))
    new_shop.model.newcomers = replace(
        new_shop.model.newcomers, belief=was, looked_at=half.looked_at, known_to_ms=half.known_to_ms
    )
    learnt = belief(new_shop, events)
    assert learnt.a == pytest.approx(will_be.a)
    assert learnt.b == pytest.approx(will_be.b)
    assert (learnt.a > was.a).any()


def row(event: ListEvent, at: datetime, properties: dict[str, Any]) -> dict[str, Any]:
    line = json.dumps({"properties": {"request_id": event.request_id} | properties})
    kind = "recommendation_clicked" if event.is_click else "recommendation_shown"
    return {
        **{"type": kind, "event_id": event.event_id, "person_id": event.person_id},
        **{"occurred_at": at, "received_at": at, "line": line},
    }


class ListRecord:
    """A record of the log."""

    def __init__(self, kind: str, number: int, properties: dict[str, Any]) -> None:
        event = {
            **{"event_id": f"{kind}{number}", "shop_id": "a", "type": kind, "occurred_at": "2026-11-01T00:00:00.000Z"},
            **{"anonymous_id": f"d{number}", "properties": {"request_id": f"q{number}", "placement": "home"} | properties},
        }
        self.body = orjson.dumps(record_of(event, shop_id="a", collector_id="c", seq=0, collected_at_ms=AT_MS)[0])

    def value(self) -> bytes:
        return self.body

    def timestamp(self) -> tuple[int, int]:
        return 2, AT_MS + 9


def test_what_arrives_in_the_log_changes_what_is_explored(new_shop: Any) -> None:
    states = ShopStates()
    state, live = states.of("a"), LiveState(states, LiveOrders(), Consents())
    state.use_snapshot(dict(new_shop.catalogue.items))
    state.use_release(new_shop.model, published_at=0.0)

    def chances() -> list[float]:
        rng = np.random.default_rng(1)
        decision = state.exploration.decide("home", new_shop.model, SLOT + 1, np.ones(6, dtype=np.bool_), rng)
        assert decision is not None
        return [float(chance) for chance in decision.chances]

    before = chances()
    for number in range(30):
        records: list[Any] = [ListRecord("recommendation_shown", number, {"item_ids": [*LIST[:4], "i24"]})]
        records += [ListRecord("recommendation_shown", 100 + number, {"item_ids": [*LIST[:4], "i25"]})]
        records += [ListRecord("recommendation_clicked", number, {"item_id": "i24"})]
        for each in records:
            apply_record(each, live, Lateness(30, 5), StreamHealth())
    assert chances() == before
    state.learn()
    after = chances()
    assert after[0] > before[0] + 0.3
    assert after[1] < before[1]
    assert state.learnt_to_ms == AT_MS


def test_what_is_remembered_is_bounded_by_its_items_and_not_by_its_events() -> None:
    """A page's key is everybody's: two hundred made-up items an event are not two hundred times the memory."""
    feedback = Feedback(most=10)
    for number in range(5):
        feedback.put(shown(number, [f"{number}-{place}" for place in range(4)]), None, ())
    assert [event.event_id for event in feedback._events.values()] == [shown(number, []).event_id for number in (3, 4)]
    feedback.put(shown(9, [f"j{place}" for place in range(200)]), None, ())
    assert not feedback._events
    feedback.put(shown(10, ["i"]), None, ())
    assert len(feedback._events) == 1
