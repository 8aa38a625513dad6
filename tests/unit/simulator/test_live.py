"""Live traffic: every run has ids of its own, planted defects are counted, and an overloaded collector is tried again."""

from __future__ import annotations

from collections import Counter
from typing import Any

import httpx
import orjson
import pytest

from jishi.contract import Refusal, check_event
from jishi.contract.fields import to_ms
from jishi.outcomes import Outcome, outcome_without_history
from simulator import live
from simulator.live import LiveError, post_live
from simulator.live_events import LiveEvents
from simulator.world import SimulationPlan, make_world

PLAN = SimulationPlan("xinghe", users=150, days=6, seed=3)
NOW_MS = 1_790_000_000_000


def sent(run_id: str, count: int) -> tuple[LiveEvents, list[tuple[int, Any]]]:
    """What a run would post, each event with the time at which it is posted (a batch a second)."""
    live_events = LiveEvents(PLAN, run_id, count)
    events: list[tuple[int, Any]] = []
    now_ms = NOW_MS
    for number, batch in enumerate(live_events.batches()):
        now_ms = NOW_MS + number * 1000
        events += [(now_ms, event) for event in live_events.dated(batch, number, now_ms, 1000)]
    return live_events, events + [(now_ms + 1000, event) for event in live_events.rest()]


def test_planted_defects_are_what_contract_and_outcomes_find():
    planted, events = sent("r1", 3000)
    outcomes: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    seen: set[str] = set()
    for posted_ms, event in events:
        result = check_event(event, "xinghe")
        if isinstance(result, Refusal):
            outcomes["invalid"] += 1
            reasons[result.reason] += 1
            continue
        outcome: str = outcome_without_history(
            invalid_reason=None,
            occurred_at_ms=to_ms(result.occurred_at),
            received_at_ms=posted_ms + 20,
            allowed_lateness_s=30,
            future_tolerance_s=5,
        )
        outcomes["duplicate" if result.event_id in seen else outcome] += 1
        seen.add(result.event_id)
    assert {kind: outcomes[kind] for kind in ("duplicate", "late", "future", "invalid")} == dict(planted.planted)
    assert reasons == planted.reasons
    assert outcomes[Outcome.GOOD] > 2800


def test_a_run_has_ids_of_its_own_and_the_shoppers_of_the_history():
    first, second = ([event for _, event in sent(run, 400)[1]] for run in ("r1", "r2"))

    def ids(events: list) -> set[str]:
        return {e["event_id"] for e in events if isinstance(e, dict) and "event_id" in e}

    assert ids(first).isdisjoint(ids(second))
    assert [event for _, event in sent("r1", 400)[1]] == first, "a run that is named the same sends the same"
    people = make_world(PLAN).shoppers
    users = {e["user_id"] for e in first if isinstance(e, dict) and "user_id" in e}
    assert users
    assert users <= {people.user_id(n) for n in range(people.count)}
    assert len({e["type"] for e in first if isinstance(e, dict)}) > 6


@pytest.fixture
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live.time, "sleep", lambda seconds: None)


@pytest.mark.usefixtures("no_waiting")
def test_an_overloaded_collector_is_tried_again():
    answers = iter([429, 503])
    got: list = []

    def collector(request: httpx.Request) -> httpx.Response:
        status = next(answers, 200)
        if status == 200:
            assert request.headers["authorization"] == "Bearer k"
            events = orjson.loads(request.content)
            got.extend(events)
            return httpx.Response(200, json={"accepted": len(events), "results": [{"status": "accepted"}] * len(events)})
        return httpx.Response(status, json={"code": "slow_down"})

    transport = httpx.MockTransport(collector)
    report = post_live(PLAN, "http://c", "k", rate=200, seconds=1, run_id="r", transport=transport)
    assert report.retries == 2
    assert report.posted == report.acknowledged == len(got) == report.statuses["accepted"] >= 200
    assert (report.failed, report.resent) == (0, 0)


@pytest.mark.usefixtures("no_waiting")
def test_a_refusal_is_an_error_with_the_collectors_words():
    transport = httpx.MockTransport(lambda request: httpx.Response(401, json={"code": "unknown_key"}))
    with pytest.raises(LiveError, match="unknown_key"):
        post_live(PLAN, "http://c", "k", rate=100, seconds=1, run_id="r", transport=transport)


@pytest.mark.usefixtures("no_waiting")
def test_nobody_there_is_an_error_that_says_so():
    def nobody(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    with pytest.raises(LiveError, match="cannot be reached"):
        post_live(PLAN, "http://c", "k", rate=100, seconds=1, run_id="r", transport=httpx.MockTransport(nobody))
