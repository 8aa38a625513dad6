"""Which sources answer a request, and what each brings: the placement's model, or the ladder where it has nothing to say."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal

import numba
import numpy as np

from models.ranking.live_ranker import LiveRanker
from serving.blend import BLEND, NONE, PLACED, Blend, Indices, Vector, recency_weights, scale
from serving.candidates import ListCandidates, Quotas, Source, SourceLists, WhatSells
from serving.eligible import Eligibility
from serving.moment import Moment
from serving.offers import newness
from serving.placed import given_items, model_sources
from serving.ranked import Ranked, ask_ranker
from serving.request import Request
from serving.shelf import Preference, Shelf
from serving.trials import Rung

ServedBy = Literal["personalised", "item_based", "segment", "popular", "bundled"]
LADDER, SOLD = "ladder", "popularity"  # names of no model
_OF_THE_VISIT = ("item", "cart")  # placements whose question is about the visit, as the gate asks it


@dataclass(frozen=True)
class Asked:
    """A request in item numbers; ``recent`` newest first, each acted upon ``ages_s`` ago, of which ``visit`` are those of the
    visit that is going on. ``page_kind``: code of the category of a page's item that the release does not know. ``tried``: the
    rung that is to answer, None for the best.
    """

    request: Request
    recent: list[int]
    ages_s: list[float]
    visit: list[int]
    context: int | None
    order: list[int]
    cart: list[int]
    page_kind: int | None = None
    tried: Rung | None = None

    @property
    def counted(self) -> list[int]:
        """The last items that the placement's list may follow: on a page, in the cart and for a session those of the visit."""
        is_of_visit = self.request.placement in _OF_THE_VISIT or self.tried == "session"
        return self.visit if is_of_visit else self.recent

    @property
    def intent(self) -> list[int]:
        """The items of the visit whose categories a list has to have."""
        return self.visit if self.tried in (None, "session") else []

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


@dataclass(frozen=True)
class Recall:
    """Where an answer comes from: its sources, the rung, the name of the model behind it, and what the list may hold."""

    sources: SourceLists
    served_by: ServedBy
    model: str
    eligible: Eligibility
    ranked: Ranked | None = None

    @property
    def blend(self) -> Blend:
        """Weights and rules of recency."""
        return BLEND if self.model == LADDER else PLACED


def recall(asked: Asked, shelf: Shelf, eligible: Eligibility, quotas: Quotas, moment: Moment) -> Recall:
    """Every source but what sells, which ``with_what_sells`` adds."""
    here = _answering(asked, shelf, eligible, quotas, moment)
    more = _beside(here, asked, shelf, quotas, moment)
    return replace(here, sources=here.sources.with_more(more)) if more else here


def _beside(here: Recall, asked: Asked, shelf: Shelf, quotas: Quotas, moment: Moment) -> list[Source]:
    """At home what is new, what costs less than usual and, beside a model, what is near the person's taste; as much as the
    quotas say.
    """
    if not (quotas.new or quotas.on_sale or quotas.beside) or asked.request.question != "home":
        return []
    if here.model == SOLD or asked.tried is not None:
        return []
    eligible, blend, offers, sources = here.eligible, here.blend, shelf.offers, list[Source]()
    if quotas.new:
        numbers = eligible.best_of(offers.new_at(moment.now_ms), quotas.new, quotas.reach)
        sources.append(_some("new", blend.new, numbers, newness(shelf.columns.stocked_at_ms[numbers], moment.now_ms)))
    if quotas.on_sale:
        numbers = eligible.best_of(offers.on_sale.first, quotas.on_sale, quotas.reach)
        sources.append(_some("on_sale", blend.on_sale, numbers, scale(offers.cut[numbers])))
    if quotas.beside and here.model != LADDER:
        taste = next((known for person in asked.request.persons if (known := shelf.model.taste(person)) is not None), None)
        if taste is not None:
            numbers = taste.best(quotas.beside)
            numbers = numbers[~eligible.shown_not(numbers)]
            sources.append(_some("taste", blend.taste, numbers, scale(taste.of(numbers))))
    return sources


def _some(name: str, weight: float, numbers: Indices, strength: Vector) -> Source:
    kept = strength > 0
    return Source(name, weight, numbers[kept], strength[kept], np.full(int(kept.sum()), NONE, dtype=np.int64))


def _answering(asked: Asked, shelf: Shelf, eligible: Eligibility, quotas: Quotas, moment: Moment) -> Recall:
    request, placed = asked.request, shelf.model.placement(asked.request.question)
    if request.question in shelf.model.sold_placements:
        return Recall(SourceLists.of([]), "popular", SOLD, eligible.behind(asked.visit[: PLACED.seen_items]))
    if asked.tried is not None:
        return _ladder(asked, shelf, eligible, quotas)
    ranker = shelf.model.ranker(request.question)
    if ranker is not None:
        return _ranked(ranker, asked, eligible, moment) or _ladder(asked, shelf, eligible, quotas)
    if placed is None:
        return _ladder(asked, shelf, eligible, quotas)
    given = given_items(request.placement, asked.visit, asked.cart, asked.context, asked.order)
    sources, basis = model_sources(placed, given, request.persons, eligible, PLACED, quotas)
    if basis is None or (request.placement == "item" and basis == "person"):  # a list that ignores the page would be no answer
        return _ladder(asked, shelf, eligible, quotas)
    eligible = eligible.behind(asked.visit[: PLACED.seen_items])
    if request.question == "home" and asked.counted:
        sources += _of_recent(asked, shelf, eligible, PLACED, quotas)
    is_personal = basis != "items" or bool(asked.counted)
    return Recall(SourceLists.of(sources), "personalised" if is_personal else "item_based", placed.name, eligible)


def _ranked(ranker: LiveRanker, asked: Asked, eligible: Eligibility, moment: Moment) -> Recall | None:
    """The placement's ranker; None where its sources have nothing to say of the person or the items."""
    request = asked.request
    given = given_items(request.placement, asked.visit, asked.cart, asked.context, asked.order)
    last = asked.recent, asked.ages_s
    ranked, sources, is_personal, is_followed = ask_ranker(ranker, given, last, eligible, moment)
    if not (is_followed or (is_personal and request.placement != "item")):  # else a list would ignore the page
        return None
    eligible = eligible.behind(asked.visit[: PLACED.seen_items])
    served_by: ServedBy = "personalised" if is_personal or bool(asked.counted) else "item_based"
    return Recall(sources, served_by, ranker.name, eligible, ranked)


def with_what_sells(here: Recall, shelf: Shelf, quotas: Quotas, length: int) -> ListCandidates:
    """The candidates: those of the sources, and what sells best of what may be shown, enough of it to fill ``length``."""
    eligible = here.eligible
    weight = 1.0 if here.model == SOLD else here.blend.popularity
    most = max(quotas.popular, 2 * length)
    best, is_complete = eligible.best_sellers(most)
    sells = WhatSells(best, shelf.popularity, weight)
    return ListCandidates.of(here.sources, sells, _wanted(shelf, eligible, quotas), is_complete=is_complete)


def _wanted(shelf: Shelf, eligible: Eligibility, quotas: Quotas) -> Indices:
    """Items that rules bring: pinned, new, and the best sellers of what they boost."""
    rules = eligible.rules
    if rules is None:
        return np.empty(0, dtype=np.int64)
    pinned = [shelf.number_of.get(pin.item_id, NONE) for pin in rules.together.pins]
    wanted = [np.array([number for number in pinned if number != NONE], dtype=np.int64)]
    if rules.together.new_items is not None and shelf.model.newcomers is not None:
        wanted.append(shelf.model.newcomers.items)
    wanted += [eligible.best_of(order, quotas.boosted, quotas.reach) for order in rules.boosted]
    return np.concatenate(wanted) if len(wanted) > 1 else wanted[0]


def _of_recent(asked: Asked, shelf: Shelf, eligible: Eligibility, blend: Blend, quotas: Quotas) -> list[Source]:
    recent = asked.weighted(blend)
    # Strengths are relative to the strongest, so what has faded as a whole says so by the weight of the source.
    faded = recent[0][1] * (blend.visit_on_page if asked.causes else 1.0)
    similar = _similar("recent", blend.recent * faded, recent, shelf, quotas)
    return [similar, _same_category(blend.category * faded, recent, shelf, eligible, quotas)]


def _similar(name: str, weight: float, causes: list[tuple[int, float]], shelf: Shelf, quotas: Quotas) -> Source:
    sums = shelf.model.similar(causes, quotas.similar)
    return Source(name, weight, sums.items, scale(sums.weights), sums.because)


def _same_category(
    weight: float, causes: list[tuple[int, float]], shelf: Shelf, eligible: Eligibility, quotas: Quotas
) -> Source:
    """What sells in the categories of the causes, and the newest cause of each category."""
    kinds = shelf.categories[[cause for cause, _ in causes]].tolist()
    about = [(kind, its_weight, cause) for (cause, its_weight), kind in zip(causes, kinds, strict=True)]
    return _of_categories("category", weight, about, shelf, eligible, quotas)


def _of_categories(
    name: str, weight: float, about: list[tuple[int, float, int]], shelf: Shelf, eligible: Eligibility, quotas: Quotas
) -> Source:
    """What sells in categories, each (code, weight, number of the item that named it or −1)."""
    weight_of: dict[int, np.float32] = {}
    cause_of: dict[int, int] = {}
    for kind, its_weight, cause in about:
        if kind != NONE:
            weight_of[kind] = weight_of.get(kind, np.float32(0)) + np.float32(its_weight)
            cause_of.setdefault(kind, cause)
    kinds = np.array(sorted(weight_of), dtype=np.int64)
    weights = scale(np.array([weight_of[kind] for kind in kinds.tolist()], dtype=np.float32))
    named = np.array([cause_of[kind] for kind in kinds.tolist()], dtype=np.int64)

    def everywhere(numbers: Indices) -> tuple[Vector, Indices]:
        return _in_categories(numbers, shelf.categories, shelf.popularity_in_category, kinds, weights, named)  # type: ignore[no-any-return]

    most = max(quotas.category, eligible.request.limit)
    items = eligible.best_of_categories(kinds.tolist(), most, quotas.reach)
    return Source(name, weight, items, everywhere=everywhere)


def _segment(asked: Asked, shelf: Shelf, eligible: Eligibility, quotas: Quotas) -> list[Source]:
    """What sells in the segment of the request: the categories of the page, the cart, the order or the visit, or else those
    that the person bought most of. Nothing where none is known, or nothing sold there.
    """
    weight = BLEND.category
    named = asked.causes or asked.cart
    if named:
        source = _same_category(weight, [(number, 1.0) for number in named], shelf, eligible, quotas)
    elif asked.page_kind is not None:
        source = _of_categories("category", weight, [(asked.page_kind, 1.0, NONE)], shelf, eligible, quotas)
    elif asked.counted:
        source = _same_category(weight, asked.weighted(BLEND), shelf, eligible, quotas)
    else:
        bought = [number for person in asked.request.persons for number in shelf.model.purchases(person).tolist()]
        about = [(kind, 1.0, NONE) for kind in shelf.categories[bought].tolist()]
        source = _of_categories("segment", weight, about, shelf, eligible, quotas)
    return [source] if bool(shelf.popularity_in_category[source.items].any()) else []


@numba.njit(cache=True, nogil=True)
def _in_categories(numbers: Any, categories: Any, popularity: Any, kinds: Any, weights: Any, causes: Any) -> Any:
    """Strength of each item by what its category weighs (``kinds`` rising) and sells, and the cause of the category, or −1."""
    strength, because = np.zeros(len(numbers), dtype=np.float32), np.full(len(numbers), -1, dtype=np.int64)
    for place in range(len(numbers)):
        number = numbers[place]
        for kind in range(len(kinds)):
            if kinds[kind] == categories[number]:
                strength[place], because[place] = weights[kind] * popularity[number], causes[kind]
                break
    return strength, because


def _liked(taste: Preference, numbers: Indices) -> tuple[Vector, int]:
    return scale(taste.of(numbers)), NONE


def _ladder(asked: Asked, shelf: Shelf, eligible: Eligibility, quotas: Quotas) -> Recall:
    """The rungs below a model, from the best that has something to say, or from the one that is tried."""
    blend, sources, tried = BLEND, list[Source](), asked.tried
    eligible = eligible.behind(asked.visit[: blend.seen_items])
    served_by: ServedBy = "popular"
    if tried in (None, "session"):
        if asked.causes:
            similar = _similar("context", blend.context, [(number, 1.0) for number in asked.causes], shelf, quotas)
            sources = [similar] if len(similar.items) else _segment(asked, shelf, eligible, quotas)
            served_by = "item_based" if len(similar.items) else "segment" if sources else "popular"
        if asked.counted:
            sources += _of_recent(asked, shelf, eligible, blend, quotas)
            served_by = "personalised"
    taste = None
    if tried is None:
        taste = next((known for person in asked.request.persons if (known := shelf.model.taste(person)) is not None), None)
    if taste is not None:
        liked = partial(_liked, taste)
        sources.append(Source("taste", blend.taste, taste.best(quotas.taste), everywhere=liked))
        served_by = "personalised"
    if served_by == "popular" and tried != "popular":
        sources = _segment(asked, shelf, eligible, quotas)
        served_by = "segment" if sources else "popular"
    return Recall(SourceLists.of(sources), served_by, LADDER, eligible)
