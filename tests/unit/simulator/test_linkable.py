"""The linkable truth: small plays worked out by hand, and the rule of identity, which never sees the play, within 1 % of it."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

import orjson
import pytest

from jishi.contract import known_since_ms, record_of
from jishi.identity import Act, links, persons, visits
from simulator.history import simulate
from simulator.linkable import PlayedVisit, channel_truth, linkable_truth
from simulator.world import SimulationPlan

HOUR = 3_600_000


def test_a_play_by_hand() -> None:
    played = [
        PlayedVisit(0, "phone", None, 0, 100, False),
        PlayedVisit(0, "phone", "u0", HOUR, HOUR + 100, True),  # the only one who logs in on the phone
        PlayedVisit(0, "phone", None, HOUR + 1000, HOUR + 2000, False),  # minutes later: still the same visit
        PlayedVisit(0, "desk", None, 0, 100, False),  # never logs in there: one person too many
        PlayedVisit(1, "shared", "u1", 0, 100, True),
        PlayedVisit(2, "shared", "u2", 200, 300, False),  # another person, so another visit
        PlayedVisit(2, "shared", None, 9 * HOUR, 9 * HOUR + 5, False),  # of u1 or u2: nobody can tell
    ]
    assert linkable_truth(played) == {
        "persons": 5,  # u0, desk, u1, u2, shared
        "visits": 6,
        "visits_with_order": 2,
        "conversion": round(2 / 6, 6),
        "gap": {
            "persons": 3,
            "devices": 3,
            "devices_that_never_log_in": 1,
            "shared_devices": 1,
            "visits_of_nobody_known": 2,
        },
    }


@pytest.mark.parametrize("shop_id", ["lanting", "shanhai", "xinghe", "a-shop-of-its-own"])
def test_identity_comes_within_one_percent(shop_id: str, tmp_path: Path) -> None:
    truth = simulate(SimulationPlan(shop_id, users=400, days=20, seed=7), tmp_path)
    summary = orjson.loads((tmp_path / "truth" / shop_id / "summary.json").read_bytes())
    assert summary["visits"] == len(truth.played)
    acts, paid = _acts(tmp_path / shop_id, shop_id, set(summary["bots"]))
    person_of = persons(acts, links(acts))
    visit_of = visits(acts, person_of)
    counted: dict[str, float] = {
        "persons": len(set(person_of.values())),
        "visits": len(set(visit_of.values())),
        "visits_with_order": len({visit_of[event_id] for event_id in paid}),
    }
    counted["conversion"] = counted["visits_with_order"] / counted["visits"]
    expected = summary["linkable"]
    assert counted == {name: pytest.approx(expected[name], rel=0.01) for name in counted}
    # The gap is there: somebody who counts ids alone, or knows who really came, gets other numbers.
    assert expected["persons"] > expected["gap"]["persons"] * 1.01
    assert expected["gap"]["shared_devices"] > 0


def _acts(folder: Path, shop_id: str, bots: set[str]) -> tuple[list[Act], set[str]]:
    """Acts of people in visits, and which of them are orders; what the contract refuses and the future are left out."""
    acts: dict[str, Act] = {}
    paid: dict[str, set[str]] = defaultdict(set)
    for line in (line for file in sorted(folder.glob("*.jsonl")) for line in file.read_bytes().splitlines()):
        try:
            raw: Any = orjson.loads(line)
        except orjson.JSONDecodeError:
            continue
        record, checked = record_of(raw, shop_id=shop_id, collector_id="c", seq=0, collected_at_ms=0)
        known_ms, at_ms, event_id = known_since_ms(raw, record, checked), record["occurred_at_ms"], record["event_id"]
        if record["invalid_reason"] or at_ms is None or known_ms is None or at_ms > known_ms + 5000 or event_id is None:
            continue
        who = (record["anonymous_id"], record["user_id"])
        if who == (None, None) or who[0] in bots or record["type"] == "order_refunded":
            continue
        acts.setdefault(event_id, Act(event_id, *who, at_ms, known_ms))
        paid[str(record["type"])].add(event_id)
    return list(acts.values()), paid["order_paid"]


def test_the_truth_of_channels_counts_each_visit_by_the_channel_that_it_came_by() -> None:
    played = [
        PlayedVisit(0, "phone", None, 0, 100, True, "app"),
        PlayedVisit(0, "phone", None, HOUR, HOUR + 100, False, "app"),
        PlayedVisit(1, "desk", None, 0, 100, True, "search"),
        PlayedVisit(2, "till", None, 0, 100, True),
    ]
    assert channel_truth(played) == {
        "app": {"visits": 2, "visits_with_order": 1},
        "search": {"visits": 1, "visits_with_order": 1},
    }
