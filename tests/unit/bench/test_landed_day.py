"""Copies of a day: valid events of other persons, orders and visits, with the same items and times."""

from __future__ import annotations

import json
from datetime import date

from bench.landed_day import copy_of
from bench.shop_groups import MODEL
from imports.bronze import LineCounts, bronze_rows
from jishi.arrow_tables import to_arrow
from jishi.tables import BRONZE_EVENTS
from simulator.history import CATALOGUE, play
from simulator.world import SimulationPlan

IDS = ("event_id", "anonymous_id", "user_id", "session_id")


def test_a_copy_is_what_the_contract_reads_from_its_lines() -> None:
    """The columns of a copy equal those that come of reading its own lines, and share no id with the first."""
    plan = SimulationPlan(MODEL, 120, 3, 7, date(2026, 9, 1))
    lines = [delivery.line for day in range(CATALOGUE, 3) for delivery in play(plan, day).deliveries]
    first = to_arrow(BRONZE_EVENTS, list(bronze_rows(lines, LineCounts(), shop_id=MODEL, first_seq=0)))
    copy = copy_of(first, 7, len(first)).to_pylist()
    kept = [row for row in first.to_pylist() if row["type"] != "item_changed"]
    assert len(kept) == len(copy) > 100

    counts = LineCounts()
    read = list(bronze_rows([row["line"].encode() for row in copy], counts, shop_id=MODEL, first_seq=len(first)))
    assert not counts.invalid
    for row, again, before in zip(copy, read, kept, strict=True):
        assert {name: row[name] for name in again if name != "log_offset"} == {
            n: v for n, v in again.items() if n != "log_offset"
        }
        assert (row["occurred_at_ms"], row["item_id"]) == (before["occurred_at_ms"], before["item_id"])
    for name in IDS:
        assert {row[name] for row in copy if row[name]}.isdisjoint({row[name] for row in kept if row[name]})
    orders = [
        {json.loads(r["line"])["properties"]["order_id"] for r in rows if r["type"] == "order_paid"} for rows in (kept, copy)
    ]
    assert orders[0]
    assert orders[0].isdisjoint(orders[1])
