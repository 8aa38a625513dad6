"""A request becomes an answer: framework-free, no I/O but one read of the person's last items through ``Recent``.

Where the release names a model for the placement, the model answers (``serving.placed``), with live intent mixed in at home.
Where it names none, or the model has nothing to say of this request, the ladder answers; where the gate found that not even the
ladder is better than what sells, that.

The ladder: ``personalised`` when the release knows the person's taste or last items, else ``item_based`` when it knows items
near the page's one, else ``popular``. Whatever the rung, the guard looks at each item again before it leaves: in the shop's own
catalogue, active, in stock, and not the item of the page, nor what was just paid.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from serving.blend import (
    BLEND,
    NONE,
    PLACED,
    Blend,
    Mask,
    Mix,
    Vector,
    best_allowed,
    empty_mix,
    near,
    recency_weights,
    same_category,
    scale,
    visit_length,
    with_intent,
)
from serving.catalogue import Catalogue, Item
from serving.placed import add_model, given_items
from serving.reasons import Reason, explain
from serving.recent import LastAct
from serving.request import Request
from serving.rules.active import ActiveRules
from serving.rules.arrange import Bounds, Entry, arrange
from serving.shelf import Shelf

ServedBy = Literal["personalised", "item_based", "popular"]
LADDER, SOLD = "ladder", "popularity"  # names of no model
LastActs = Callable[[str, Sequence[str]], Sequence[LastAct]]
CANDIDATES = 50  # of a source, most that an answer tells of
_OF_THE_VISIT = ("item", "cart")  # placements whose question is about the visit, as the gate asks it


class NoRelease(LookupError):
    """The shop has no items yet."""


class CatchingUp(LookupError):
    """The changes of the catalogue that the log held at the start are not all applied yet, so stock and status may be old."""


@dataclass(frozen=True)
class Recommended:
    """One item of the answer; the score compares items of one answer only."""

    item: Item
    score: float
    reason: Reason


@dataclass(frozen=True)
class Workings:
    """What a list was made from: the shelf, scores with their sources, items (items,) that it may not hold or that
    come last, ids that the request keeps out, and the person's last acts.
    """

    shelf: Shelf
    mix: Mix
    shown_not: Mask
    kept_back: Mask
    hidden: set[str]
    last: list[LastAct]


@dataclass(frozen=True)
class Answer:
    """The list, best first, the rung that gave it, the model that answered (``ladder`` for none) and the release behind it.

    ``candidates``, where they were asked for: of each source its best eligible items and what each adds to their scores.
    ``rules``: those of the shop that held.
    """

    served_by: ServedBy
    model: str
    model_version: str
    items: list[Recommended]
    candidates: dict[str, dict[str, float]] | None = None
    rules: ActiveRules | None = None
    workings: Workings | None = field(default=None, compare=False, repr=False)

    def is_pinned(self, place: int) -> bool:
        """Whether a rule put the item at that place (from 0)."""
        return self.rules is not None and self.items[place].item.item_id in self.rules.pinned

    def may_hold(self, item: Item, request: Request) -> bool:
        """Whether filters and rules let a sellable item into the list."""
        return request.takes(item) and (self.rules is None or self.rules.hidden_by(item) is None)


def recommend(
    request: Request,
    shelf: Shelf | None,
    catalogue: Catalogue,
    last_acts: LastActs,
    *,
    with_candidates: bool = False,
    rules: ActiveRules | None = None,
) -> Answer:
    """The answer to a request, by the shop's ``rules`` if it has any. Raises NoRelease when the shop has no shelf yet."""
    if shelf is None:
        raise NoRelease(request.shop_id)
    hidden = request.shown_not(shelf)
    last = [act for act in last_acts(request.shop_id, request.persons) if act.item_id in shelf.number_of]
    asked = _Asked(
        request,
        recent=[shelf.number_of[act.item_id] for act in last],
        ages_s=[act.age_s for act in last],
        context=None if request.item_id is None else shelf.number_of.get(request.item_id),
        order=[shelf.number_of[item_id] for item_id in request.order if item_id in shelf.number_of],
        shown_not=_shown_not(request, shelf, hidden, rules),
    )
    mix, served_by, model = _mix(asked, shelf)
    if rules is not None:
        mix.score = rules.weigh(mix.score)

    def may_leave(item: Item) -> bool:
        """The guard, by the catalogue as it is now."""
        is_allowed = item.is_sellable and item.item_id not in hidden and request.takes(item)
        return is_allowed and (rules is None or rules.hidden_by(item) is None)

    entries = []
    blend = BLEND if model == LADDER else PLACED
    bounds = Bounds(request.limit, _kept_back(asked, blend, rules), may_leave)
    length = request.limit if rules is None else rules.pool(request.limit)
    has_intent = model == LADDER or request.question == "home"
    for number in _chosen(asked, shelf, mix, blend, bounds.kept_back, length, has_intent=has_intent):
        item = catalogue.get(shelf.model.item_ids[number])
        if item is not None and may_leave(item):
            entries.append(Entry(number, item))
            if len(entries) == length:
                break
    if rules is not None:
        entries = arrange(rules, entries, mix.score, bounds)
    if request.placement == "category":
        entries += _not_in_release(entries, request, shelf, catalogue, may_leave)
    items = [_recommended(entry, mix, shelf, catalogue) for entry in entries]
    candidates = _candidates(mix, shelf, shelf.sellable & ~asked.shown_not) if with_candidates else None
    workings = Workings(shelf, mix, asked.shown_not, bounds.kept_back, hidden, last)
    return Answer(served_by, model, shelf.model.version, items, candidates, rules, workings)


def _not_in_release(
    entries: list[Entry], request: Request, shelf: Shelf, catalogue: Catalogue, may_leave: Callable[[Item], bool]
) -> list[Entry]:
    """What a category's page shows and the release does not know yet, in the page's order."""
    listed = {entry.item.item_id for entry in entries}
    wanted = () if request.only is None else request.only.selection.item_ids
    items = [catalogue.get(item_id) for item_id in wanted if item_id not in shelf.number_of and item_id not in listed]
    return [Entry(NONE, item) for item in items if item is not None and may_leave(item)]


def _recommended(entry: Entry, mix: Mix, shelf: Shelf, catalogue: Catalogue) -> Recommended:
    """An item with its score and its reason; one that the release does not know has the score 0."""
    score = 0.0 if entry.number == NONE else round(float(mix.score[entry.number]), 6)
    if entry.is_pinned:
        return Recommended(entry.item, score, explain("pinned", None))
    if entry.number == NONE:
        return Recommended(entry.item, score, explain("new", None))
    share = mix.main_share(entry.number)
    cause = NONE if share.because is None else int(share.because[entry.number])
    caused_by = catalogue.get(shelf.model.item_ids[cause]) if cause != NONE else None
    return Recommended(entry.item, score, explain(share.source, caused_by))


def _candidates(mix: Mix, shelf: Shelf, eligible: Mask) -> dict[str, dict[str, float]]:
    """Of each source its best eligible items, best first, by id."""
    strengths: dict[str, Vector] = {}
    for share in mix.shares:
        strengths[share.source] = share.strength + strengths.get(share.source, np.float32(0))
    best = {source: best_allowed(each, eligible & (each > 0), CANDIDATES).tolist() for source, each in strengths.items()}
    return {
        source: {shelf.model.item_ids[number]: round(float(strengths[source][number]), 6) for number in numbers}
        for source, numbers in best.items()
    }


@dataclass(frozen=True)
class _Asked:
    """A request in item numbers; ``recent`` newest first, each acted upon ``ages_s`` ago."""

    request: Request
    recent: list[int]
    ages_s: list[float]
    context: int | None
    order: list[int]
    shown_not: Mask

    @property
    def visit(self) -> list[int]:
        """The items of the visit that is going on."""
        return self.recent[: visit_length(self.ages_s)]

    @property
    def counted(self) -> list[int]:
        """The last items that the placement's list may follow: on a page and in the cart those of the visit."""
        return self.visit if self.request.placement in _OF_THE_VISIT else self.recent

    @property
    def causes(self) -> list[int]:
        """What the question is about: the page's item, after payment the items just paid."""
        if self.request.placement == "after_payment" and self.order:
            return self.order
        return [] if self.context is None else [self.context]

    def weighted(self, blend: Blend) -> list[tuple[int, float]]:
        """The counted items with the weight of their recency."""
        counted = self.counted
        return list(zip(counted, recency_weights(self.ages_s[: len(counted)], blend.decay, blend.half_life_s), strict=True))


def _shown_not(request: Request, shelf: Shelf, hidden: Iterable[str], rules: ActiveRules | None) -> Mask:
    """Items (items,) that are hidden, or that filters or rules do not let through."""
    mask = np.zeros(shelf.size, dtype=np.bool_)
    mask[[shelf.number_of[item_id] for item_id in hidden if item_id in shelf.number_of]] = True
    if request.only is not None:
        mask |= ~request.only.mask(shelf.columns, shelf.number_of)
    return mask if rules is None else mask | rules.shown_not


def _kept_back(asked: _Asked, blend: Blend, rules: ActiveRules | None) -> Mask:
    """Items (items,) that come behind all others: what was just looked at, and what rules put last."""
    mask = np.zeros(len(asked.shown_not), dtype=np.bool_) if rules is None else rules.last.copy()
    mask[asked.visit[: blend.seen_items]] = True
    return mask


def _mix(asked: _Asked, shelf: Shelf) -> tuple[Mix, ServedBy, str]:
    """The mix, the rung, and the name of the model behind it."""
    request, placed = asked.request, shelf.model.placement(asked.request.question)
    if request.question in shelf.model.sold_placements:
        mix = empty_mix(shelf.size)
        mix.add("popularity", 1.0, shelf.popularity)
        return mix, "popular", SOLD
    if placed is None:
        return (*_ladder(asked, shelf, BLEND), LADDER)
    mix = empty_mix(shelf.size)
    cart = [shelf.number_of[item_id] for item_id in request.cart if item_id in shelf.number_of]
    given = given_items(request.placement, asked.visit, cart, asked.context, asked.order)
    basis = add_model(mix, placed, given, request.persons, asked.shown_not, PLACED)
    if basis is None or (request.placement == "item" and basis == "person"):  # a list that ignores the page would be no answer
        return (*_ladder(asked, shelf, BLEND), LADDER)
    if request.question == "home" and asked.counted:
        _add_recent(mix, asked, shelf, PLACED)
    mix.add("popularity", PLACED.popularity, shelf.popularity)
    is_personal = basis != "items" or bool(asked.counted)
    return mix, "personalised" if is_personal else "item_based", placed.name


def _add_recent(mix: Mix, asked: _Asked, shelf: Shelf, blend: Blend) -> None:
    recent = asked.weighted(blend)
    neighbours = {number: shelf.model.neighbours(number) for number, _ in recent}
    # Strengths are relative to the strongest, so what has faded as a whole says so by the weight of the source.
    faded = recent[0][1] * (blend.visit_on_page if asked.causes else 1.0)
    mix.add("recent", blend.recent * faded, *near(shelf.size, recent, neighbours))
    mix.add("category", blend.category * faded, *same_category(shelf.categories, shelf.popularity_in_category, recent))


def _ladder(asked: _Asked, shelf: Shelf, blend: Blend) -> tuple[Mix, ServedBy]:
    mix = empty_mix(shelf.size)
    served_by: ServedBy = "popular"
    causes = [(number, 1.0) for number in asked.causes]
    if causes:
        strength, because = near(shelf.size, causes, {number: shelf.model.neighbours(number) for number, _ in causes})
        mix.add("context", blend.context, strength, because)
        if not strength.any():
            mix.add("category", blend.category, *same_category(shelf.categories, shelf.popularity_in_category, causes))
        served_by = "item_based" if mix.score.any() else "popular"
    if asked.counted:
        _add_recent(mix, asked, shelf, blend)
        served_by = "personalised"
    for person in asked.request.persons:
        taste = shelf.model.taste(person)
        if taste is not None:
            mix.add("taste", blend.taste, scale(taste))
            served_by = "personalised"
            break
    mix.add("popularity", blend.popularity, shelf.popularity)
    return mix, served_by


def _chosen(
    asked: _Asked, shelf: Shelf, mix: Mix, blend: Blend, kept_back: Mask, length: int, *, has_intent: bool
) -> Iterator[int]:
    """Numbers to show, best first, more than the ``length`` that is looked for where the guard turns some away; what is kept
    back comes last.
    """
    limit = asked.request.limit
    allowed = shelf.sellable & ~asked.shown_not
    fresh = allowed & ~kept_back
    batch = best_allowed(mix.score, fresh, limit)
    if has_intent:
        newest = asked.visit[: blend.intent_items]
        intent = _intent(shelf, newest) & fresh
        intent[newest] = False
        batch = with_intent(batch, mix.score, intent, int(np.ceil(blend.intent_share * limit)), limit)
    while len(batch) or len(batch := best_allowed(mix.score, allowed, limit)):
        yield from map(int, batch)
        fresh[batch] = allowed[batch] = False
        batch = best_allowed(mix.score, fresh, max(limit, length - limit))


def _intent(shelf: Shelf, newest: list[int]) -> Mask:
    """Items of the categories of the newest items."""
    kinds = shelf.categories[newest] if newest else np.empty(0, dtype=np.int64)
    wanted = np.zeros(int(shelf.categories.max(initial=NONE)) + 2, dtype=np.bool_)  # the last place is for NONE
    wanted[kinds[kinds != NONE]] = True
    return wanted[shelf.categories]
