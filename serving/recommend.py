"""A request becomes an answer: framework-free, no I/O but one read of the person's last items through ``Recent``.

The ladder: ``personalised`` when the release knows the person's taste or last items, else ``item_based`` when it knows items
near the page's one, else ``popular``. Whatever the rung, the guard looks at each item again before it leaves: in the shop's own
catalogue, active, in stock, and not the item of the page.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from serving.blend import (
    BLEND,
    NONE,
    Blend,
    Mask,
    Mix,
    choose,
    empty_mix,
    near,
    recency_weights,
    same_category,
    scale,
    with_intent,
)
from serving.catalogue import Catalogue, Item
from serving.reasons import Reason, explain
from serving.shelf import Shelf

Placement = Literal["home", "item", "cart", "after_payment"]
PLACEMENTS: tuple[str, ...] = get_args(Placement)
ServedBy = Literal["personalised", "item_based", "popular"]
LastItems = Callable[[str, Sequence[str]], Sequence[str]]


class NoRelease(LookupError):
    """The shop has no released model, or no catalogue, yet."""


@dataclass(frozen=True)
class Request:
    """What is asked, checked already. ``persons`` are the ids of the person, the one after login first."""

    shop_id: str
    placement: Placement
    limit: int
    persons: tuple[str, ...] = ()
    item_id: str | None = None


@dataclass(frozen=True)
class Recommended:
    """One item of the answer; the score compares items of one answer only."""

    item: Item
    score: float
    reason: Reason


@dataclass(frozen=True)
class Answer:
    """The list, best first, the rung that gave it, and the release behind it."""

    served_by: ServedBy
    model_version: str
    items: list[Recommended]


def recommend(
    request: Request, shelf: Shelf | None, catalogue: Catalogue, last_items: LastItems, blend: Blend = BLEND
) -> Answer:
    """The answer to a request. Raises NoRelease when the shop has no shelf yet."""
    if shelf is None:
        raise NoRelease(request.shop_id)
    recent = [
        (shelf.number_of[item_id], weight)
        for item_id, weight in _weighted(last_items(request.shop_id, request.persons), blend.decay)
        if item_id in shelf.number_of
    ]
    context = shelf.number_of.get(request.item_id) if request.item_id is not None else None
    mix, served_by = _mix(request, shelf, recent, context, blend)
    chosen = _chosen(request, shelf, mix, recent, context, blend)
    items = []
    for number in chosen:
        item = catalogue.get(shelf.model.item_ids[number])
        if item is None or not item.is_sellable or item.item_id == request.item_id:
            continue
        share = mix.main_share(number)
        cause = NONE if share.because is None else int(share.because[number])
        caused_by = catalogue.get(shelf.model.item_ids[cause]) if cause != NONE else None
        items.append(Recommended(item, round(float(mix.score[number]), 6), explain(share.source, caused_by)))
        if len(items) == request.limit:
            break
    return Answer(served_by, shelf.model.version, items)


def _weighted(last_items: Sequence[str], decay: float) -> list[tuple[str, float]]:
    distinct = list(dict.fromkeys(last_items))
    return list(zip(distinct, recency_weights(len(distinct), decay), strict=True))


def _mix(
    request: Request, shelf: Shelf, recent: list[tuple[int, float]], context: int | None, blend: Blend
) -> tuple[Mix, ServedBy]:
    mix = empty_mix(shelf.size)
    served_by: ServedBy = "popular"
    if context is not None:
        causes = [(context, 1.0)]
        strength, because = near(shelf.size, causes, {context: shelf.model.neighbours(context)})
        mix.add("context", blend.context, strength, because)
        if not strength.any():
            mix.add("category", blend.category, *same_category(shelf.categories, shelf.popularity_in_category, causes))
        served_by = "item_based" if mix.score.any() else "popular"
    if recent:
        neighbours = {number: shelf.model.neighbours(number) for number, _ in recent}
        mix.add("recent", blend.recent, *near(shelf.size, recent, neighbours))
        mix.add("category", blend.category, *same_category(shelf.categories, shelf.popularity_in_category, recent))
        served_by = "personalised"
    for person in request.persons:
        taste = shelf.model.taste(person)
        if taste is not None:
            mix.add("taste", blend.taste, scale(taste))
            served_by = "personalised"
            break
    mix.add("popularity", blend.popularity, shelf.popularity)
    return mix, served_by


def _chosen(
    request: Request, shelf: Shelf, mix: Mix, recent: list[tuple[int, float]], context: int | None, blend: Blend
) -> Iterator[int]:
    """Numbers to show, best first, more of them as long as the guard turns some away; what was just looked at comes last."""
    allowed = shelf.sellable.copy()
    if context is not None:
        allowed[context] = False
    fresh = allowed.copy()
    fresh[[number for number, _ in recent]] = False
    intent = _intent(shelf, [number for number, _ in recent[: blend.intent_items]]) & fresh
    least = int(np.ceil(blend.intent_share * request.limit))
    batch = with_intent(choose(mix.score, fresh, request.limit), mix.score, intent, least, request.limit)
    while len(batch) or len(batch := choose(mix.score, allowed, request.limit)):
        yield from map(int, batch)
        fresh[batch] = allowed[batch] = False
        batch = choose(mix.score, fresh, request.limit)


def _intent(shelf: Shelf, newest: list[int]) -> Mask:
    """Items of the categories of the newest items."""
    kinds = shelf.categories[newest] if newest else np.empty(0, dtype=np.int64)
    wanted = np.zeros(int(shelf.categories.max(initial=NONE)) + 2, dtype=np.bool_)  # the last place is for NONE
    wanted[kinds[kinds != NONE]] = True
    return wanted[shelf.categories]
