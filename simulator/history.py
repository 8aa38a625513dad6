"""Days of a shop → landing files and truth, day by day, in one process or several with the same result."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import lru_cache
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

from jishi.landing import ShopFacts, write_landing
from simulator.day import catalogue_happenings, play_day
from simulator.defects import Delivery, deliver
from simulator.journal import PAGE_VIEWED
from simulator.seeds import stream
from simulator.spend import spend_of, write_spend
from simulator.truth import Truth, truth_of, write_truth
from simulator.world import SimulationPlan, World, make_world

CATALOGUE = -1
TRUTH, SPEND = "truth", "spend"  # folders beside those of shops
_world_of = lru_cache(maxsize=1)(make_world)


class PlayedDay(NamedTuple):
    """Deliveries of what one day brought about, in the order of receipt, and the truth about it."""

    deliveries: list[Delivery]
    truth: Truth


def play(plan: SimulationPlan, day: int) -> PlayedDay:
    """One day of the plan; day ``CATALOGUE`` is the hour before, in which the catalogue is published, without a defect."""
    world = _world_of(plan)
    if day == CATALOGUE:
        happenings = catalogue_happenings(world)
        prefix = "cat"
    else:
        prefix = f"{day:03d}"
        happenings = play_day(world, day, prefix=prefix, names=("day", day))
    end_ms = world.end_ms
    deliveries: list[Delivery] = []
    # Pages have ids and draws of their own, so that acts are delivered as they are without them.
    for of_pages, kind, name in ((False, "", "deliveries"), (True, "p", "page deliveries")):
        chosen = [happening for happening in happenings if (happening.type == PAGE_VIEWED) == of_pages]
        rng = stream(plan.seed, plan.shop_id, name, day)
        deliveries += deliver(chosen, plan.shop_id, kind + prefix, rng, until_ms=end_ms, is_clean=day == CATALOGUE)
    deliveries.sort(key=lambda d: d.received_ms)
    happened = (h for h in happenings if h.at_ms < end_ms)
    return PlayedDay(deliveries, truth_of(happened, deliveries, world, None if day == CATALOGUE else day))


def spend_file(out: Path, shop_id: str) -> Path:
    """What the shop spent on channels, for ``jishi import spend``."""
    return out / SPEND / f"{shop_id}.csv"


def simulate(
    plan: SimulationPlan, out: Path, *, processes: int = 1, progress: Callable[[int, int], None] | None = None
) -> Truth:
    """Write ``out/<shop_id>/`` (landing files), ``out/truth/<shop_id>/`` and ``spend_file``; returns the truth."""
    world: World = _world_of(plan)
    truth, planted = Truth(), []
    everything: list[tuple[int, int, bytes]] = []
    for number, (deliveries, of_day) in enumerate(_played(plan, processes)):
        truth.add(of_day)
        planted += [d._replace(line=b"") for d in deliveries if d.defect is not None]
        everything += [(d.received_ms, len(everything) + n, d.line) for n, d in enumerate(deliveries)]
        if progress:
            progress(number, plan.days)
    everything.sort()
    preset = world.preset
    facts = ShopFacts(name=preset.name, time_zone=preset.time_zone, currency=preset.currency)
    source = f"simulator: seed {plan.seed}, {plan.users} users, {plan.days} days from {plan.start.isoformat()}"
    source += "" if plan.process == "steady" else f", {plan.process}"
    with write_landing(out, plan.shop_id, facts, source) as writer:
        writer.write(line for _, _, line in everything)
    write_truth(out / TRUTH / plan.shop_id, world, truth, planted)
    write_spend(spend_file(out, plan.shop_id), spend_of(world, truth.played))
    return truth


def _played(plan: SimulationPlan, processes: int) -> Iterator[PlayedDay]:
    days = range(CATALOGUE, plan.days)
    if processes <= 1:
        yield from (play(plan, day) for day in days)
        return
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        yield from pool.map(play, [plan] * len(days), days)
