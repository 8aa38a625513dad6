"""The order of a list after the scores: spread by category and brand, a share of new items, pins."""

from __future__ import annotations

from collections.abc import Callable
from math import ceil
from typing import NamedTuple

import numpy as np

from jishi.rules.rule_set import Pin
from serving.blend import Mask, Vector
from serving.candidates import ListCandidates
from serving.catalogue import Item
from serving.rules.active import ActiveRules
from serving.rules.diversity import group_similarity, spread


class Entry(NamedTuple):
    """An item of the list; ``place`` among the candidates is ``NONE`` for one that is none, which only a pin brings."""

    place: int
    item: Item
    is_pinned: bool = False


class Bounds(NamedTuple):
    """What limits a list: its length, the candidates (n,) that come behind all others, and what it may hold at all."""

    limit: int
    kept_back: Mask
    allows: Callable[[Item], bool]


def arrange(here: ActiveRules, entries: list[Entry], candidates: ListCandidates, bounds: Bounds) -> list[Entry]:
    """The list, from the best items, best first, those that are kept back behind all others."""
    if here.together.diversities:
        entries = _spread(here, entries, candidates.score, bounds)
    entries = _with_new(here, entries[: bounds.limit], candidates, bounds)
    return _with_pins(here, entries, candidates, bounds)


def _spread(here: ActiveRules, entries: list[Entry], score: Vector, bounds: Bounds) -> list[Entry]:
    rules, limit = here.together.diversities, bounds.limit
    first = [entry for entry in entries if not bounds.kept_back[entry.place]]
    if len(first) < 2:
        return entries
    groups: list[list[object]] = [[getattr(entry.item, rule.by) for entry in first] for rule in rules]
    places = np.array([entry.place for entry in first])
    order = spread(score[places], group_similarity(groups, [rule.strength for rule in rules]), limit)
    for after, before in enumerate(order.tolist()):
        for rule in rules if after != before and after < limit else ():
            here.note(first[before].item, rule, f"{before + 1} to {after + 1}")
    return [first[place] for place in order] + entries[len(first) :]


def _with_new(here: ActiveRules, entries: list[Entry], candidates: ListCandidates, bounds: Bounds) -> list[Entry]:
    """The list with as many new items as the largest share asks for; the weakest others give way."""
    rule, newcomers = here.together.new_items, here.shelf.model.newcomers
    if rule is None or newcomers is None:
        return entries
    is_new = candidates.mask(newcomers.items)
    missing = ceil(round(rule.share * len(entries), 6)) - sum(bool(is_new[entry.place]) for entry in entries)
    listed = {entry.place for entry in entries}
    believed = newcomers.belief.a / (newcomers.belief.a + newcomers.belief.b)
    places = candidates.places(newcomers.items)  # all of them are candidates where such a rule holds
    brought: list[Entry] = []
    for place in places[np.lexsort((-believed, -candidates.score[places]))].tolist():
        if len(brought) >= missing:
            break
        item = here.catalogue.get(here.shelf.item_ids[candidates.numbers[place]])
        if place not in listed and not bounds.kept_back[place] and item is not None and bounds.allows(item):
            brought.append(Entry(place, item))
            here.note(item, rule, "new")
    others = [place for place, entry in enumerate(entries) if not is_new[entry.place]]
    given_up = set(others[len(others) - len(brought) :])
    kept = [entry for place, entry in enumerate(entries) if place not in given_up]
    behind = sum(bool(bounds.kept_back[entry.place]) for entry in kept)  # they stand at the end, and stay there
    return [*kept[: len(kept) - behind], *brought, *kept[len(kept) - behind :]]


def _with_pins(here: ActiveRules, entries: list[Entry], candidates: ListCandidates, bounds: Bounds) -> list[Entry]:
    """Each pinned item at its slot; where the list is too short for that, at the end."""
    if not here.together.pins:
        return entries[: bounds.limit]
    pinned: dict[Pin, Entry] = {}
    for pin in here.together.pins:
        item = here.catalogue.get(pin.item_id)
        if pin.slot <= bounds.limit and item is not None and bounds.allows(item):
            pinned[pin] = Entry(candidates.place(here.shelf.number_of.get(item.item_id)), item, is_pinned=True)
    ids = {entry.item.item_id for entry in pinned.values()}
    others = [entry for entry in entries if entry[1].item_id not in ids]
    length = min(bounds.limit, len(others) + len(pinned))
    at_slot = {pin.slot - 1: entry for pin, entry in pinned.items() if pin.slot <= length}
    rest = iter(others[: length - len(pinned)] + [entry for pin, entry in pinned.items() if pin.slot > length])
    arranged = [at_slot.get(place) or next(rest) for place in range(length)]
    place_of = {entry[1].item_id: place for place, entry in enumerate(arranged, 1) if entry[2]}
    for pin, entry in pinned.items():
        here.note(entry.item, pin, f"slot {place_of[entry.item.item_id]}")
    return arranged
