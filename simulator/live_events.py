"""Live traffic before it is posted: the acts of days after the history, dated the moment they are sent."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator
from typing import Any

from simulator.day import play_day
from simulator.defects import BREAKAGES, LATE_AFTER_MS, broken_event, event_of, stamp
from simulator.journal import Happening
from simulator.seeds import Dice, stream
from simulator.world import SimulationPlan, World, make_world

BATCH = 50
_LATE, _DOUBLED, _FUTURE, _BROKEN = 0.01, 0.01, 0.002, 0.006
_EVENTS_PER_USER_AND_DAY = 1.3
_BREAKAGES = tuple(name for name in BREAKAGES if name != "cut_off")  # that one would break its whole batch


class LiveEvents:
    """Batches of raw events for one run; ``planted`` and ``reasons`` count the defects in the batches made so far.

    The shoppers, goods and prices are those of the plan's history; the ids of events, sessions and orders carry ``run_id`` and
    are new in every run. Days of acts are pressed into the time of the run: their order stays, the waiting goes.
    """

    def __init__(self, plan: SimulationPlan, run_id: str, count: int) -> None:
        self.planted: Counter[str] = Counter()
        self.reasons: Counter[str] = Counter()
        self._plan, self._run_id, self._count = plan, run_id, count
        self._dice = Dice(stream(plan.seed, plan.shop_id, "live-defects", run_id))
        self._again: deque[tuple[int, dict[str, Any]]] = deque()

    def batches(self) -> Iterator[list[tuple[Happening, str]]]:
        """Acts in batches, each with its event id; ``dated`` turns a batch into events at the moment of posting."""
        world = make_world(self._plan)
        batch: list[tuple[Happening, str]] = []
        for number, happening in enumerate(_acts(world, self._run_id, self._count)):
            batch.append((happening, f"l{self._run_id}-{number}"))
            if len(batch) == BATCH:
                yield batch
                batch = []
        if batch:
            yield batch

    def dated(self, batch: list[tuple[Happening, str]], number: int, now_ms: int, span_ms: int) -> list[Any]:
        """Events of batch ``number``, which occurred in the last ``span_ms``, with the defects that its dice plant."""
        events: list[Any] = []
        for place, (happening, event_id) in enumerate(batch):
            at_ms = now_ms - span_ms * (len(batch) - 1 - place) // len(batch)
            draw = self._dice.uniform()
            if draw < _LATE:
                at_ms = now_ms - LATE_AFTER_MS - 1000 - int(self._dice.exponential(120_000))
                self.planted["late"] += 1
            event = event_of(happening, self._plan.shop_id, event_id, stamp(at_ms))
            events.append(event)
            if _LATE <= draw < _LATE + _DOUBLED:
                self._again.append((number + self._dice.whole(1, 4), event))
            if happening.type == "item_viewed":
                events += self._extra(event, now_ms)
        while self._again and self._again[0][0] <= number:
            events.append(self._again.popleft()[1])
            self.planted["duplicate"] += 1
        return events

    def rest(self) -> list[Any]:
        """Second deliveries that are still due at the end of the run."""
        left = [event for _, event in self._again]
        self.planted["duplicate"] += len(left)
        self._again.clear()
        return left

    def _extra(self, event: dict[str, Any], now_ms: int) -> list[Any]:
        draw = self._dice.uniform()
        if draw < _FUTURE:
            self.planted["future"] += 1
            ahead = 600_000 + int(self._dice.exponential(7_200_000))
            return [event | {"event_id": "f" + event["event_id"], "occurred_at": stamp(now_ms + ahead)}]
        if draw < _FUTURE + _BROKEN:
            breakage = self._dice.pick((*_BREAKAGES, "not_an_object"))
            self.planted["invalid"] += 1
            self.reasons[BREAKAGES.get(breakage, breakage)] += 1
            if breakage == "not_an_object":
                return [f"broken event of run {self._run_id}"]
            return [broken_event(event | {"event_id": "x" + event["event_id"]}, breakage)]
        return []


def _acts(world: World, run_id: str, count: int) -> Iterator[Happening]:
    """``count`` happenings of live days, each day in the order of its clock."""
    scale = min(1.0, count / (world.plan.users * _EVENTS_PER_USER_AND_DAY))
    acts, number = 0, 0
    while acts < count:
        day = world.plan.days + number
        for happening in play_day(world, day, prefix=f"{run_id}.{number}", names=("live", run_id, number), scale=scale):
            yield happening
            acts += 1
            if acts == count:
                return
        number += 1
