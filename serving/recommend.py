"""A request becomes an answer: framework-free, no I/O but one read of the person's last items through ``Recent``.

Where the release names a model for the placement, the model answers (``serving.placed``), with live intent mixed in at home.
Where it names none, or the model has nothing to say of this request, the ladder answers; where the gate found that not even the
ladder is better than what sells, that.

The ladder: ``personalised`` when the release knows the person's taste or last items, else ``item_based`` when it knows items
near the page's one, else ``segment`` when a category is known that the request or the person is about, else ``popular``.
Whatever the rung, the guard looks at each item again before it leaves: in the shop's own
catalogue, active, in stock, and not the item of the page, nor what was just paid.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from math import ceil
from typing import Any, NamedTuple

import numba
import numpy as np

from serving.blend import NONE, Indices, Mask, best_allowed, visit_length, with_intent
from serving.candidates import QUOTAS, ListCandidates, Quotas
from serving.catalogue import Catalogue, Item
from serving.eligible import Eligibility
from serving.moment import Moment
from serving.ranked import Ranked
from serving.reasons import Reason, explain
from serving.recent import LastAct
from serving.request import Request
from serving.rules.active import ActiveRules, Touch
from serving.rules.arrange import Bounds, Entry, arrange
from serving.shelf import Shelf
from serving.sources import LADDER, Asked, Recall, ServedBy, recall, with_what_sells
from serving.trials import Rung

LastActs = Callable[[str, Sequence[str]], Sequence[LastAct]]
LOGGED = 50  # candidates of a source, most that an answer tells of
_LARGER = 8  # times the quotas of a try that did not fill the list


class NoRelease(LookupError):
    """The shop has no items yet."""


class CatchingUp(LookupError):
    """The changes of the catalogue that the log held at the start are not all applied yet, so stock and status may be old."""


class Recommended(NamedTuple):
    """One item of the answer, and its place among the candidates (``NONE`` for none); the score compares items of one answer
    only.
    """

    item: Item
    score: float
    reason: Reason
    place: int


@dataclass(frozen=True)
class Workings:
    """What a list was made from: the shelf, the candidates with their sources, which of them (n,) may be sold, may not stand in
    the list, or come last, ids that the request keeps out, the person's last acts, and the ranker at work.
    """

    shelf: Shelf
    candidates: ListCandidates
    sellable: Mask
    shown_not: Mask
    kept_back: Mask
    hidden: set[str]
    last: Sequence[LastAct]
    ranked: Ranked | None = None


@dataclass(frozen=True)
class Answer:
    """The list, best first, the rung that gave it, the model that answered (``ladder`` for none) and the release behind it.

    ``candidates``, where they were asked for: of each source its best eligible items and what each adds to their scores.
    ``rules``: those of the shop that held. ``tried``: the rung that was chosen by the request's id.
    """

    served_by: ServedBy
    model: str
    model_version: str
    items: list[Recommended]
    candidates: dict[str, dict[str, float]] | None = None
    rules: ActiveRules | None = None
    workings: Workings | None = field(default=None, compare=False, repr=False)
    tried: Rung | None = None

    def is_pinned(self, place: int) -> bool:
        """Whether a rule put the item at that place (from 0)."""
        return self.rules is not None and self.items[place].item.item_id in self.rules.pinned

    def touches(self, listed: Sequence[Recommended]) -> dict[int, list[Touch]]:
        """What the shop's rules did to some items of the list: by place among these, for those that any rule touched."""
        if self.rules is None or self.workings is None:
            return {}
        items, _, _, places = zip(*listed, strict=True) if listed else ((),) * 4
        return self.rules.touches(items, places, self.workings.kept_back)

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
    moment: Moment | None = None,
    quotas: Quotas | None = None,
    tried: Rung | None = None,
) -> Answer:
    """The answer to a request, by the shop's ``rules`` if it has any. Raises NoRelease when the shop has no shelf yet.

    ``quotas``, by default those of the release, grow until the list is full or nothing is left that may be shown. Without a
    ``moment`` it is now, by UTC, and no stored feature is read. With ``tried`` that rung answers and none above it
    (``bundled``: the shelf is that rung already).
    """
    if shelf is None:
        raise NoRelease(request.shop_id)
    hidden = request.shown_not(shelf)
    last, asked = _asked(request, shelf, catalogue, last_acts(request.shop_id, request.persons), tried)
    eligible = Eligibility(request, shelf, rules, hidden)
    length = request.limit if rules is None else rules.pool(request.limit)
    takes = None if request.only is None else request.only.takes

    def may_leave(item: Item) -> bool:
        """The guard, by the catalogue as it is now."""
        is_allowed = item.is_sellable and item.item_id not in hidden and (takes is None or takes(item))
        return is_allowed and (rules is None or rules.hidden_by(item) is None)

    quotas = quotas or shelf.quotas.get(request.question, QUOTAS)
    while True:
        here = recall(asked, shelf, eligible, quotas, moment or _now())
        candidates = with_what_sells(here, shelf, quotas, length)
        if here.ranked is not None:
            candidates.score = here.ranked.score(candidates.numbers)
        if rules is not None:
            rules.weigh(candidates)
        workings = _workings(here, candidates, shelf, hidden, last)
        entries = _allowed(_chosen(asked, here, workings, length), workings, catalogue, may_leave, length)
        if len(entries) == length or candidates.is_complete:
            break
        quotas = quotas.times(_LARGER)
    if rules is not None:
        entries = arrange(rules, entries, candidates, Bounds(request.limit, workings.kept_back, may_leave))
    if request.placement == "category":
        entries = (entries + _not_in_release(entries, request, shelf, catalogue, may_leave))[: request.limit]
    items = _recommended(entries, candidates, shelf, catalogue)
    logged = _logged(workings) if with_candidates else None
    return Answer(here.served_by, here.model, shelf.model.version, items, logged, rules, workings, tried)


def _now() -> Moment:
    return Moment(int(time.time() * 1000))


def _asked(
    request: Request, shelf: Shelf, catalogue: Catalogue, acts: Sequence[LastAct], tried: Rung | None
) -> tuple[Sequence[LastAct], Asked]:
    """Those of the acts whose items the release knows, and the request in item numbers."""
    number_of = shelf.number_of
    last, recent = acts, number_of.of_all([act.item_id for act in acts])
    if NONE in recent:
        last = [act for act, number in zip(acts, recent, strict=True) if number != NONE]
        recent = [number for number in recent if number != NONE]
    ages_s = [act.age_s for act in last]
    context, page_kind = None, None
    if request.item_id is not None:
        context = number_of.get(request.item_id)
        if context is None and (page := catalogue.get(request.item_id)) is not None:
            page_kind = shelf.columns.category.code_of(page.category)
    return last, Asked(
        request,
        recent=recent,
        ages_s=ages_s,
        visit=recent[: visit_length(ages_s)],
        context=context,
        order=[number_of[item_id] for item_id in request.order if item_id in number_of],
        cart=[number_of[item_id] for item_id in request.cart if item_id in number_of],
        page_kind=page_kind,
        tried=tried,
    )


def _workings(here: Recall, candidates: ListCandidates, shelf: Shelf, hidden: set[str], last: Sequence[LastAct]) -> Workings:
    sellable, shown_not, kept_back = here.eligible.masks(candidates.numbers)
    return Workings(shelf, candidates, sellable, shown_not, kept_back, hidden, last, here.ranked)


def _allowed(
    chosen: Iterator[Indices], workings: Workings, catalogue: Catalogue, may_leave: Callable[[Item], bool], length: int
) -> list[Entry]:
    """The first of the chosen candidates that the guard lets through, at most ``length``."""
    items, item_ids, numbers = catalogue.items, workings.shelf.item_ids, workings.candidates.numbers
    entries: list[Entry] = []
    for places in chosen:
        for place, number in zip(places.tolist(), numbers[places].tolist(), strict=True):
            item = items.get(item_ids[number])
            if item is not None and may_leave(item):
                entries.append(Entry(place, item))
                if len(entries) == length:
                    return entries
    return entries


def _not_in_release(
    entries: list[Entry], request: Request, shelf: Shelf, catalogue: Catalogue, may_leave: Callable[[Item], bool]
) -> list[Entry]:
    """What a category's page shows and the release does not know yet, in the page's order."""
    listed = {entry.item.item_id for entry in entries}
    wanted = () if request.only is None else request.only.selection.item_ids
    items = [catalogue.get(item_id) for item_id in wanted if item_id not in shelf.number_of and item_id not in listed]
    return [Entry(NONE, item) for item in items if item is not None and may_leave(item)]


def _recommended(entries: list[Entry], candidates: ListCandidates, shelf: Shelf, catalogue: Catalogue) -> list[Recommended]:
    """The items with scores and reasons; one that the release does not know has the score 0."""
    places = np.array([place for place, _, _ in entries if place != NONE], dtype=np.int64)
    scored = zip(candidates.score[places].tolist(), *candidates.main_shares(places), strict=True)
    items: list[Recommended] = []
    reasons: dict[tuple[int, int], Reason] = {}  # many items of a list have the same one
    for place, item, is_pinned in entries:
        if place == NONE:
            items.append(Recommended(item, 0.0, explain("pinned" if is_pinned else "new", None), NONE))
            continue
        score, source, cause = next(scored)
        reason = explain("pinned", None) if is_pinned else reasons.get((source, cause))
        if reason is None:
            caused_by = catalogue.get(shelf.item_ids[cause]) if cause != NONE else None
            reason = reasons[source, cause] = explain(candidates.names[source], caused_by)
        items.append(Recommended(item, round(score, 6), reason, place))
    return items


def _logged(workings: Workings) -> dict[str, dict[str, float]]:
    """Of each source its best eligible items, best first, by id."""
    eligible, ids = workings.sellable & ~workings.shown_not, workings.shelf.item_ids
    numbers = workings.candidates.numbers
    return {
        source: {
            ids[numbers[place]]: round(float(strength[place]), 6)
            for place in best_allowed(strength, eligible & (strength > 0), LOGGED).tolist()
        }
        for source, strength in workings.candidates.strengths().items()
    }


def _chosen(asked: Asked, here: Recall, workings: Workings, length: int) -> Iterator[Indices]:
    """Places of candidates to show, some at a time, best first, more than the ``length`` that is looked for where the guard
    turns some away; what is kept back comes last.
    """
    limit, blend, score = asked.request.limit, here.blend, workings.candidates.score
    allowed, fresh, batch = _best_first(score, workings.sellable, workings.shown_not, workings.kept_back, limit)
    if here.model == LADDER or asked.request.question == "home":
        newest, least = np.array(asked.intent[: blend.intent_items], dtype=np.int64), ceil(blend.intent_share * limit)
        batch = _with_intent(batch, score, workings.candidates.numbers, workings.shelf.categories, newest, fresh, least, limit)
    while len(batch) or len(batch := best_allowed(score, allowed, limit)):
        yield batch
        fresh[batch] = allowed[batch] = False
        batch = best_allowed(score, fresh, max(limit, length - limit))


@numba.njit(cache=True, nogil=True)
def _best_first(score: Any, sellable: Any, shown_not: Any, kept_back: Any, limit: int) -> Any:
    """Candidates that may be shown, those of them that need not come last, and the best of these."""
    allowed, fresh = np.empty(len(score), dtype=np.bool_), np.empty(len(score), dtype=np.bool_)
    for place in range(len(score)):
        allowed[place] = sellable[place] and not shown_not[place]
        fresh[place] = allowed[place] and not kept_back[place]
    return allowed, fresh, best_allowed(score, fresh, limit)


@numba.njit(cache=True, nogil=True)
def _with_intent(
    batch: Any, score: Any, numbers: Any, categories: Any, newest: Any, allowed: Any, least: int, limit: int
) -> Any:
    """The batch with enough candidates of the categories of the newest items."""
    return with_intent(batch, score, _intent(numbers, categories, newest, allowed), least, limit)


@numba.njit(cache=True, nogil=True)
def _intent(numbers: Any, categories: Any, newest: Any, allowed: Any) -> Any:
    """Allowed candidates of the categories of the newest items, without these."""
    kinds, mask = np.empty(len(numbers), dtype=categories.dtype), np.zeros(len(numbers), dtype=np.bool_)
    for place in range(len(numbers)):
        kinds[place] = categories[numbers[place]]
    for item in newest:  # whole columns at a time, which a processor does several places at once
        wanted = categories[item]
        for place in range(len(numbers)):
            mask[place] |= (kinds[place] == wanted) & (wanted >= 0)
    for item in newest:
        for place in range(len(numbers)):
            mask[place] &= numbers[place] != item
    for place in range(len(numbers)):
        mask[place] &= allowed[place]
    return mask
