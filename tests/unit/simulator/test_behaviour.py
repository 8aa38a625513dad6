"""What shoppers do has the shape that it claims: funnel, rhythm, taste, repeat purchase, identity."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import datetime, timedelta
from itertools import pairwise

import numpy as np

from simulator.history import play
from simulator.world import SimulationPlan, make_world

FUNNEL = ("item_viewed", "item_added_to_cart", "checkout_started", "order_paid")


def test_the_catalogue_comes_first_and_holds_every_item(events):
    known = set()
    for event in events:
        if event["type"] == "item_changed":
            known.add(event["properties"]["item_id"])
    catalogue = [e["type"] for e in events[: len(known)]]
    assert set(catalogue) == {"item_changed"}
    used = set()
    for event in events:
        properties = event["properties"]
        used |= {properties["item_id"]} if "item_id" in properties else set()
        used |= set(properties.get("item_ids", [])) | {line["item_id"] for line in properties.get("lines", [])}
    assert used <= known
    assert len(known) == 1400


def test_lines_are_in_the_order_of_receipt(shop):
    stamps = [
        line.split(b'"received_at":"')[1][:24] for line in shop.lines if b'"received_at":"' in line and line.endswith(b"}")
    ]
    assert stamps == sorted(stamps)


def test_the_funnel_narrows_in_every_session_and_in_all(events):
    totals: Counter[str] = Counter()
    sessions: dict[str, list[str]] = defaultdict(list)
    for event in sorted(events, key=lambda e: e["occurred_at"]):
        if event["type"] in FUNNEL:
            totals[event["type"]] += 1
            sessions[event["session_id"]].append(event["type"])
    assert totals["item_viewed"] > totals["item_added_to_cart"] > totals["checkout_started"] > totals["order_paid"] > 0
    for types in sessions.values():
        for earlier, later in pairwise(FUNNEL):
            assert later not in types or earlier in types[: types.index(later)]


def test_days_have_a_rhythm(events):
    hours = Counter(
        (datetime.fromisoformat(e["occurred_at"]) + timedelta(hours=8)).hour for e in events if e["type"] == "search_performed"
    )
    evening, night = sum(hours[h] for h in (19, 20, 21, 22)), sum(hours[h] for h in (1, 2, 3, 4))
    assert evening > 5 * night


def test_shoppers_buy_to_their_taste(shop, events):
    tastes = {s["user_id"]: np.array(s["taste"]) for s in shop.shoppers}
    vectors = {i["item_id"]: np.array(i["vector"]) for i in shop.items}
    everything = np.stack(list(vectors.values()))
    bought, chance = [], []
    for event in events:
        if event["type"] == "order_paid":
            taste = tastes[event["user_id"]]
            bought += [taste @ vectors[line["item_id"]] for line in event["properties"]["lines"]]
            chance.append((everything @ taste).mean())
    assert np.mean(bought) > np.mean(chance) + 0.3


def test_a_person_is_a_stranger_first(shop, events):
    users_of: dict[str, set[str]] = defaultdict(set)
    for shopper in shop.shoppers:
        for name in ("anonymous_id", "second_anonymous_id", "borrows_from"):
            users_of[shopper[name]].add(shopper["user_id"])
    del users_of[None]  # who has no second device and borrows none
    kinds: dict[str, list[bool]] = defaultdict(list)
    for event in events:
        if event.get("anonymous_id") in users_of:
            kinds[event["anonymous_id"]].append("user_id" in event)
            assert event.get("user_id") in {None, *users_of[event["anonymous_id"]]}
    assert any(not first[0] and first[-1] for first in kinds.values())
    assert all(e.get("user_id") for e in events if e["type"] in ("checkout_started", "order_paid", "order_refunded"))


def test_groups_fill_or_are_paid_back(events):
    opened = {e["properties"]["group_buy_id"]: e["properties"]["size"] for e in events if e["type"] == "group_buy_opened"}
    joined = Counter(e["properties"]["group_buy_id"] for e in events if e["type"] == "group_buy_joined")
    done = {e["properties"]["group_buy_id"]: e["properties"]["members"] for e in events if e["type"] == "group_buy_completed"}
    orders: dict[str, list[str]] = defaultdict(list)
    for event in events:
        if event["type"] == "order_paid" and "group_buy_id" in event["properties"]:
            orders[event["properties"]["group_buy_id"]].append(event["properties"]["order_id"])
    refunded = {e["properties"]["order_id"] for e in events if e["type"] == "order_refunded"}
    last = max(e["occurred_at"] for e in events)
    settled = {
        e["properties"]["group_buy_id"]
        for e in events
        if e["type"] == "group_buy_opened"
        and datetime.fromisoformat(e["occurred_at"]) + timedelta(hours=26) < datetime.fromisoformat(last)
    }
    assert done
    assert settled - set(done)
    for group_id in settled:
        assert len(orders[group_id]) == 1 + joined[group_id]
        if group_id in done:
            assert done[group_id] == opened[group_id] == 1 + joined[group_id]
        else:
            assert set(orders[group_id]) <= refunded


def test_food_is_bought_again_in_a_personal_rhythm():
    plan = SimulationPlan("shanhai", users=60, days=40, seed=5)
    people = make_world(plan).shoppers
    due = np.array([people.is_due(day) for day in range(plan.days)])
    regular = [n for n in range(plan.users) if len(people.staples[n]) and people.arrival_day[n] == 0]
    for shopper in regular:
        gaps = np.diff(np.flatnonzero(due[:, shopper]))
        assert all(abs(gap - people.rhythm_days[shopper]) <= 1 for gap in gaps)
    day = next(d for d in range(5, plan.days) if due[d].any())
    assert any(b'"order_paid"' in d.line for d in play(plan, day).deliveries)
