"""One day: who comes when, what the merchant changes, what the bots do."""

from __future__ import annotations

from typing import Any

import numpy as np

from simulator.catalogue import SimulatedItemState
from simulator.journal import Happening, Journal, Visitor
from simulator.scene import Scene, campaign_on
from simulator.seeds import Dice, stream
from simulator.visits import walk_visit
from simulator.world import World

# Share of visits by hour of the shop's day: quiet nights, lunch, and a long evening.
_HOURS = np.array([9, 5, 3, 2, 2, 3, 8, 16, 24, 30, 33, 36, 46, 40, 32, 30, 31, 34, 40, 52, 66, 70, 54, 26], dtype=float)
_WEEKDAYS = (0.92, 0.9, 0.93, 0.96, 1.08, 1.22, 1.18)
_BOT_ACTIVE, _BOT_VIEWS = 0.08, (70, 240)


def play_day(world: World, day: int, *, prefix: str, names: tuple[str | int, ...], scale: float = 1.0) -> list[Happening]:
    """Everything that visits begun on ``day`` bring about, refunds days later included, in the order of occurrence.

    ``prefix`` enters the ids of sessions and orders; ``names`` name the random stream; ``scale`` multiplies the visits.
    """
    rng = stream(world.plan.seed, world.plan.shop_id, *names)
    scene = Scene(world, day, world.states.on(day), Journal(prefix), Dice(rng))
    midnight = world.start_of_day_ms(day)
    _change_items(scene, midnight)
    _play_visits(scene, midnight, rng, scale)
    _play_bots(scene, midnight, scale)
    return sorted(scene.journal.happenings, key=lambda h: h.at_ms)


def catalogue_happenings(world: World) -> list[Happening]:
    """``item_changed`` of the whole catalogue, in the hour before the first day begins."""
    journal, state = Journal("cat"), world.states.on(0)
    first = world.start_of_day_ms(0) - 3_600_000
    for item in range(len(world.catalogue)):
        journal.record_shop("item_changed", _state(world, state, item), first + item * 100)
    return journal.happenings


def _change_items(scene: Scene, midnight: int) -> None:
    """The day's changes take effect at midnight, before anybody sees them."""
    for number, item in enumerate(scene.state.changed.tolist()):
        scene.journal.record_shop("item_changed", _state(scene.world, scene.state, item), midnight + number * 10)


def _state(world: World, state: SimulatedItemState, item: int) -> dict[str, Any]:
    return world.catalogue.state_properties(item, state, world.start_of_day_ms(int(state.stocked[item])))


def _play_visits(scene: Scene, midnight: int, rng: np.random.Generator, scale: float) -> None:
    people = scene.world.shoppers
    weekday = (scene.world.plan.start.weekday() + scene.day) % 7
    rate = people.visits_per_day * _WEEKDAYS[weekday] * (1.35 if campaign_on(scene.day) else 1.0) * scale
    visits = rng.poisson(np.where(people.arrival_day <= scene.day, rate, 0.0))
    due = scene.world.is_due(scene.day) & (rng.random(people.count) < 0.9 * min(1.0, scale))
    who = np.concatenate([np.repeat(np.arange(people.count), visits), np.flatnonzero(due)])
    is_restocking = np.arange(len(who)) >= len(who) - int(due.sum())
    hours = rng.choice(24, size=len(who), p=_HOURS / _HOURS.sum())
    starts = midnight + ((hours + rng.random(len(who))) * 3_600_000).astype(np.int64)
    for shopper, start, restocking in zip(who.tolist(), starts.tolist(), is_restocking.tolist(), strict=True):
        walk_visit(scene, shopper, start, is_restocking=restocking)


def _play_bots(scene: Scene, midnight: int, scale: float) -> None:
    """Bots open page after page, faster than people, at any hour, and never buy."""
    people, dice = scene.world.shoppers, scene.dice
    for bot in range(people.count, people.count + people.bots):
        if not dice.chance(_BOT_ACTIVE * min(1.0, scale)):
            continue
        visitor = Visitor(
            shopper=bot,
            anonymous_id=people.anonymous_ids[bot],
            user_id=None,
            session_id=scene.journal.new_id("s"),
            context={"channel": "search", "device": "web"},
            now_ms=midnight + int(dice.uniform() * 80_000_000),
        )
        for _ in range(dice.whole(*_BOT_VIEWS)):
            scene.view(visitor, dice.whole(0, len(scene.world.catalogue) - 1))
            visitor.now_ms += int(dice.between(250, 1100))
