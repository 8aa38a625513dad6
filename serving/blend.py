"""How the sources of a recommendation become one list: weights as data, strengths and recency, and the choice of the best.

A source gives an item a strength between 0 and 1; the score is their weighted sum (``serving.candidates``). The shares stay
beside the sum, so that the reason of an item is the source that really carried it.

- ``taste``: long-term taste, the ALS score of the person.
- ``recent``: items like the person's last ones, newer ones first; on an item's page and in the cart those of the visit alone.
- ``context``: items like the item that the page is about.
- ``category``: what sells in the categories of the person's last items, for items that nobody has compared yet.
- ``popularity``: what sells in the shop.
- ``new``, ``on_sale``: what came into stock lately, what costs less than usual (``serving.offers``).

Where the release names a model for the placement, its parts take the place of ``taste`` and ``context`` (``serving.placed``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numba
import numpy as np
import numpy.typing as npt

from jishi.tables import VISIT_PAUSE_S

Vector = npt.NDArray[np.float32]
Indices = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
NONE = -1


@dataclass(frozen=True)
class Blend:
    """Weights of the sources and the rules of recency; the one place where they stand.

    ``decay`` is the weight of an item relative to the one viewed after it, and an act of ``half_life_s`` ago weighs half. On a
    page about an item the visit so far weighs ``visit_on_page`` of what it does at home: the page leads. At least
    ``intent_share`` of the list comes from the categories of the newest ``intent_items`` items of the visit, so that what a
    shopper does now shows at once. Of the visit the newest ``seen_items`` items come last in a list: nobody needs to be led to
    where they are.
    """

    placed: float = 1.0
    taste: float = 0.5
    recent: float = 1.0
    context: float = 1.0
    category: float = 0.5
    popularity: float = 0.1
    new: float = 0.1
    on_sale: float = 0.1
    decay: float = 0.75
    half_life_s: float = 14 * 86_400
    visit_on_page: float = 0.4
    intent_share: float = 0.3
    intent_items: int = 3
    seen_items: int = 20


BLEND = Blend()  # the ladder
# Beside a model that the gate let through, the other sources bring in what is new since it learnt, and fill up. More of them,
# or more items kept back, cost what the model was released for (python -m bench.served): people go back, and buy again.
PLACED = Blend(recent=0.25, category=0.1, popularity=0.02, taste=0.1, new=0.02, on_sale=0.02, seen_items=1)


def scale(values: Vector) -> Vector:
    """Strengths from raw scores: negative ones become 0, the largest 1; all zero when nothing is positive."""
    positive = np.fmax(values, np.float32(0)).astype(np.float32, copy=False)  # what is no number becomes 0, too
    top = float(positive.max(initial=0.0))
    if top == np.inf:
        positive[positive == np.inf] = 0
        top = float(positive.max())
    return positive / np.float32(top) if top > 0 else positive


def recency_weights(ages_s: Sequence[float], decay: float, half_life_s: float) -> list[float]:
    """Weights of the last items, newest first: decay^place · 2^(−age / half_life)."""
    return [decay**place * 0.5 ** (age_s / half_life_s) for place, age_s in enumerate(ages_s)]


def visit_length(ages_s: Sequence[float]) -> int:
    """How many of the last acts, newest first, belong to the visit that is going on: no pause is longer than 30 minutes."""
    before = 0.0
    for place, age_s in enumerate(ages_s):
        if age_s - before > VISIT_PAUSE_S:
            return place
        before = age_s
    return len(ages_s)


@numba.njit(cache=True, nogil=True)
def best_allowed(score: Any, allowed: Any, limit: int) -> Any:
    """Indices of the ``limit`` best allowed items, best first; equal scores in the order of the index."""
    best = np.empty(max(0, min(limit, len(score))), dtype=np.int64)
    count = 0
    for index in range(len(score)):
        value = score[index]
        if not allowed[index] or (count == len(best) and (count == 0 or not value > score[best[count - 1]])):
            continue
        place = min(count, len(best) - 1)
        while place > 0 and value > score[best[place - 1]]:
            best[place] = best[place - 1]
            place -= 1
        best[place] = index
        count = min(count + 1, len(best))
    return best[:count]


@numba.njit(cache=True, nogil=True)
def with_intent(chosen: Any, score: Any, intent: Any, least: int, limit: int) -> Any:
    """``chosen`` with at least ``least`` items of ``intent`` (as far as there are), the weakest others giving way.

    ``intent`` marks allowed items of the categories that the person looks at now. The list is and stays sorted by score, equal
    ones by index.
    """
    wanted = 0
    for index in chosen:
        wanted += intent[index]
    if wanted >= least:
        return chosen
    rest = intent.copy()
    for index in chosen:
        rest[index] = False
    brought = best_allowed(score, rest, least - wanted)
    room = limit - len(brought) - wanted  # of others
    kept = np.empty(len(chosen) + len(brought), dtype=np.int64)
    count = 0
    for index in chosen:
        if intent[index] or room > 0:
            room -= not intent[index]
            kept[count] = index
            count += 1
    for index in brought:
        place = count
        while place > 0 and (score[kept[place - 1]], -kept[place - 1]) < (score[index], -index):
            kept[place] = kept[place - 1]
            place -= 1
        kept[place] = index
        count += 1
    return kept[: min(count, limit)]
