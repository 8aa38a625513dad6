"""By what an act came is read as it is compared, and a request of the past sees that of its instant and never a later one."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jishi.tables import SILVER_EVENTS, SILVER_INTERACTIONS, SILVER_ITEMS, SILVER_ORDERS
from models.data.act_contexts import ActContexts
from models.data.interactions import Interactions, acts_digest, read_interactions
from models.data.last_acts import LastActs
from models.ranking.context_facts import LEAST_PAIRS, ContextFacts, _most_counted, bears_on_items
from models.ranking.known_facts import KnownFacts
from tests.lake import newest, record

START = datetime(2026, 9, 1)  # noqa: DTZ001 (the lake keeps UTC instants without a zone)
ACTS = [  # person, minute, kind, channel, device, city, delivery_region
    ("u:1", 0, "view", "douyin", "ios", "杭州", None),
    ("u:1", 9, "view", " WeChat ", "iOS", None, None),
    ("u:1", 10, "pay", "wechat", "ios", None, "浙江"),
    ("u:1", 20, "view", None, "web", "厦门", None),
    ("u:2", 5, "view", "", None, "厦门", None),
]


def read(folder: Path, *, has_regions: bool) -> Interactions:
    rows: list[dict[str, Any]] = []
    events, orders = [], []
    for number, (person, minute, kind, channel, device, city, region) in enumerate(ACTS):
        at = START + timedelta(minutes=minute)
        known = {"shop_id": "a", "event_id": f"e{number}", "person_id": person, "received_at": at}
        rows.append(known | {"item_id": "i1", "kind": kind, "quantity": 1, "line_number": 0, "occurred_at": at})
        came = {"channel": channel, "device": device, "city": city}
        events.append(known | came | {"type": "item_viewed", "occurred_at": at})
        if kind == "pay":
            placed = {"delivery_region": region if has_regions else None}
            orders.append(known | placed | {"order_id": "o", "paid_at": at})
    events.append({"shop_id": "b", "event_id": "e0", "type": "item_viewed", "occurred_at": START, "channel": "of another shop"})
    item = {"shop_id": "a", "item_id": "i1", "title": "i1", "category": "c", "unit_price_minor": 1, "currency": "CNY"}
    items = [item | {"status": "active", "changed_at": START, "known_at": START}]
    record(folder, {SILVER_ITEMS: items, SILVER_INTERACTIONS: rows, SILVER_EVENTS: events, SILVER_ORDERS: orders})
    return read_interactions(newest(folder), "a")


def seen(acts: Interactions, person: int, minute: float) -> list[str | None]:
    last, at = LastActs(acts), np.array([np.datetime64(START, "us") + np.timedelta64(int(minute * 60), "s")])
    return [(*last.context_values, None)[number] for number in last.contexts_at(np.array([person]), at)[0]]


def test_a_past_request_came_by_the_next_act_and_else_by_the_newest(tmp_path: Path) -> None:
    acts = read(tmp_path, has_regions=True)
    assert [seen(acts, 0, minute) for minute in (-1, 0, 9, 10, 19, 20, 21)] == [
        ["douyin", "ios", None],
        ["douyin", "ios", None],
        ["wechat", "ios", None],
        ["wechat", "ios", "浙江"],
        [None, "web", "浙江"],
        [None, "web", "浙江"],
        [None, "web", "浙江"],
    ]
    assert seen(acts, 1, 60) == [None, None, None], "nothing of the person before"
    assert seen(acts, -1, 60) == [None, None, None], "a stranger"


def test_without_regions_of_delivery_the_place_is_the_city(tmp_path: Path) -> None:
    acts = read(tmp_path, has_regions=False)
    assert [seen(acts, 0, minute)[2] for minute in (0, 10, 20)] == ["杭州", "杭州", "厦门"]
    assert seen(acts, 1, 60) == [None, None, "厦门"]


def test_another_channel_is_another_candidate(tmp_path: Path) -> None:
    acts = read(tmp_path, has_regions=True)
    assert acts.contexts is not None
    numbers = acts.contexts.numbers.copy()
    numbers[0, 0] = -1
    other = replace(acts, contexts=ActContexts(acts.contexts.values, numbers))
    assert acts_digest(other) != acts_digest(acts)


def acts_by(channels: list[str], items: list[int], persons: int = 64) -> Interactions:
    """Acts by channels, one after another of each person."""
    values = tuple(dict.fromkeys(channels))
    numbers = np.full((len(items), 3), -1, dtype=np.int32)
    numbers[:, 0] = [values.index(each) for each in channels]
    at = np.datetime64("2026-09-01", "us") + np.arange(len(items)) * np.timedelta64(1, "h")
    ids, size = (np.array([f"u:{number:03}" for number in range(persons)]), np.array(["i0", "i1", "i2"])), len(items)
    person, kind = np.arange(size) % persons, np.full(size, "view")
    return Interactions(*ids, person, np.array(items), kind, at, at, ActContexts(values, numbers))


def test_an_item_is_lifted_where_more_persons_look_at_it_than_at_others() -> None:
    often, rare = 3 * LEAST_PAIRS, LEAST_PAIRS - 1
    channels = ["app"] * often + ["web"] * often + ["fax"] * rare
    items = [0] * often + [1] * often + [2] * rare
    facts = ContextFacts.of(acts_by(channels, items))
    app, web, fax = (facts.columns_here((channel, None, None))[0] for channel in ("APP", " web", "fax"))
    assert fax == -1, "too rare to be known"
    assert facts.columns_here((None, "app", None)).tolist() == [-1, -1, -1], "no device of that name"
    assert facts.lifts[0, app] > 0 > facts.lifts[1, app]
    assert facts.lifts[1, web] > 0 > facts.lifts[0, web]
    assert facts.columns_of(["app", None, "fax"])[:, 0].tolist() == [app, -1, -1]


def test_a_value_is_the_same_number_whichever_is_more_frequent() -> None:
    first = ContextFacts.of(acts_by(["app"] * 30 + ["web"] * 40, [0] * 30 + [1] * 40))
    second = ContextFacts.of(acts_by(["fax"] * 50 + ["web"] * 30 + ["app"] * 40, [2] * 50 + [1] * 30 + [0] * 40))
    for channel in ("app", "web"):
        [one], [other] = (facts.keys[facts.columns_here((channel, None, None))[:1]] for facts in (first, second))
        assert one == other


@pytest.mark.parametrize(("tied", "is_known"), [(0.0, False), (0.05, False), (0.6, True)])
def test_channels_are_known_where_they_bear_on_items(tied: float, is_known: bool) -> None:
    luck = np.random.default_rng(3)
    items = luck.integers(0, 3, 3_000)
    channels = np.where(luck.random(3_000) < tied, items, luck.integers(0, 3, 3_000)).tolist()
    facts = ContextFacts.of(acts_by([str(each) for each in channels], items.tolist(), persons=500))
    assert bool(facts.columns_here(("1", None, None))[0] >= 0) == is_known


def test_any_number_of_values_costs_what_a_few_do() -> None:
    """Whoever has a shop's public key may send a channel that nobody ever sent."""
    channels = [f"hostile {number}" for number in range(2_000)] + ["app"] * 60 + ["web"] * 60
    acts = acts_by(channels, [0] * 2_000 + [0] * 60 + [1] * 60)
    facts = ContextFacts.of(acts)
    assert facts.columns_of(["app", "web", "hostile 7"])[:, 0].tolist() == [0, 1, -1]
    assert _most_counted(acts.contexts.numbers[:, 0], acts.contexts.values)[1].max() < 64  # type: ignore[union-attr]


def test_persons_of_one_taste_and_one_device_are_no_bearing() -> None:
    """Each person has a device and looks at all items of a taste: chance makes the tastes of devices differ."""
    luck, alarms = np.random.default_rng(4), 0
    for _ in range(40):
        taste, device = luck.integers(0, 4, 120), luck.integers(0, 4, 120)
        person, item = np.nonzero(taste[:, None] == np.arange(40) % 4)
        alarms += bears_on_items(person, item, device[person])
    assert alarms == 0
    assert bears_on_items(person, item, taste[person])
    assert not bears_on_items(person[:0], item[:0], taste[:0])
    assert not bears_on_items(person, item, np.zeros(len(person), dtype=np.int64)), "one value"
    few = person < 5
    assert not bears_on_items(person[few], item[few], taste[person[few]]), "too few to agree"


def test_facts_of_before_have_no_contexts_and_others_must_be_whole() -> None:
    acts = acts_by(["app"] * 30 + ["web"] * 30, [0] * 30 + [1] * 30)
    facts = KnownFacts.of(acts, np.datetime64("2026-10-01", "us"), np.zeros(3, dtype=np.int64), np.zeros(64, dtype=np.int64))
    state = facts.state()
    assert KnownFacts.from_state(state, 64, 3).contexts.lifts.tolist() == facts.contexts.lifts.tolist()
    before = {name: array for name, array in state.items() if not name.startswith("context_")}
    assert KnownFacts.from_state(before, 64, 3).contexts.columns_here(("app", None, None)).tolist() == [-1, -1, -1]
    for name in ("context_keys", "context_starts", "context_lifts"):
        with pytest.raises((ValueError, KeyError)):
            KnownFacts.from_state(state | {name: state[name][:-1]}, 64, 3)
        with pytest.raises((ValueError, KeyError)):
            KnownFacts.from_state({key: array for key, array in state.items() if key != name}, 64, 3)
