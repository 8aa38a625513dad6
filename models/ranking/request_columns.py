"""What the ranker sees of each candidate of a request: sources, history, last acts, given items, context, stored features,
channel, device and place.

One function makes the columns of a thousand past requests, from which trees are grown and by which they are judged, and of the
one that is answered. What is not known is a value that the trees know: 0 for what did not happen, NaN for a feature that the
store could not tell.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import numba
import numpy as np

from models.algorithms.recommender import Scores
from models.candidates.request_sources import RequestSources
from models.data.sequences import Mask, Numbers
from models.data.stored_features import ITEM_VIEWS, PERSON_VIEWS, is_instant, names_of
from models.ranking.context_facts import COLUMNS as VISIT
from models.ranking.context_facts import fill_contexts
from models.ranking.known_facts import ITEM, PAIR, PERSON, KnownFacts
from models.ranking.listed import Listed, RequestPairs, list_columns

_LAST = ("last_place", "last_age")
_CONTEXT = ("category_of_given", "category_of_last", "given", "last", "hour", "weekday")
STORED_OF_ITEM, STORED_OF_PERSON = names_of(ITEM_VIEWS), names_of(PERSON_VIEWS)
INSTANTS_OF_ITEM, INSTANTS_OF_PERSON = is_instant(ITEM_VIEWS), is_instant(PERSON_VIEWS)


@dataclass(frozen=True)
class Questions:
    """One row a request. ``person``: number, or −1; ``asked_ms``: epoch ms; ``given``: number of the newest given item (−1 for
    none) and how many there are; ``last``: the person's last items newest first, of row r ``last_starts[r]`` to
    ``last_starts[r + 1]``, with their age in seconds; ``clock``: hour 0–23 and weekday 0–6 by the shop's clocks;
    ``contexts``: columns of ``ContextFacts.lifts``, −1 for unknown.
    """

    person: Numbers
    asked_ms: Numbers
    given: Numbers
    given_count: Numbers
    last_starts: Numbers
    last_items: Numbers
    last_ages_s: Scores
    clock: Numbers
    contexts: Numbers

    def __len__(self) -> int:
        return len(self.person)


def names(sources: RequestSources) -> tuple[str, ...]:
    """Names of the columns, in their order; those of the visit last, which trees from before they were there do not know."""
    listed = (f"{source}{suffix}" for source in sources.names for suffix in ("", "_of_best", "_place"))
    return (*listed, "sources", *PAIR, *ITEM, *PERSON, *_LAST, *_CONTEXT, *STORED_OF_ITEM, *STORED_OF_PERSON, *VISIT)


def columns(
    lists: list[Listed], asked: Questions, facts: KnownFacts, pairs: RequestPairs, stored: tuple[Scores, Scores]
) -> Scores:
    """The table, shape (pairs, names), float32. ``stored``: features of each pair's item and of each row's person, as they are
    in the store.
    """
    row = pairs.row
    last = np.zeros((len(row), len(_LAST) + 1), dtype=np.float32)
    of_last(asked.last_starts, asked.last_items, asked.last_ages_s, facts.category, pairs.starts, pairs.items, last)
    given_kind = np.where(asked.given >= 0, facts.category[asked.given], -1)[row]
    is_alike = (facts.category[pairs.items] == given_kind) & (given_kind >= 0)
    of_row = np.column_stack([asked.given_count, np.diff(asked.last_starts), asked.clock]).astype(np.float32)
    visit = np.empty((len(row), len(VISIT)), dtype=np.float32)
    fill_contexts(asked.contexts, facts.contexts.keys, facts.contexts.lifts, pairs.starts, pairs.items, visit)
    blocks = [
        list_columns(lists, pairs),
        facts.columns(asked.person, asked.asked_ms, pairs),
        last[:, :2],
        is_alike[:, None].astype(np.float32),
        last[:, 2:],
        of_row[row],
        _with_ages(stored[0], INSTANTS_OF_ITEM, asked.asked_ms[row]),
        _with_ages(stored[1], INSTANTS_OF_PERSON, asked.asked_ms)[row],
        visit,
    ]
    return np.ascontiguousarray(np.concatenate(blocks, axis=1), dtype=np.float32)


def _with_ages(stored: Scores, instants: Mask, at_ms: Numbers) -> Scores:
    """The features with each instant (epoch ms) as seconds before ``at_ms``."""
    if not instants.any():
        return stored
    aged = stored.copy()
    aged[:, instants] = (at_ms[:, None] - stored[:, instants].astype(np.float64)) / 1000
    return aged


def nothing_stored(asked: Questions, pairs: RequestPairs) -> tuple[Scores, Scores]:
    """Features when the store told nothing."""
    of_items = np.full((len(pairs.items), len(STORED_OF_ITEM)), np.nan, dtype=np.float32)
    return of_items, np.full((len(asked), len(STORED_OF_PERSON)), np.nan, dtype=np.float32)


def clock(asked_ms: Numbers, zone: ZoneInfo) -> Numbers:
    """Hour and weekday (Monday is 0) of instants by a zone's clocks, shape (instants, 2)."""
    read = [(at.hour, at.weekday()) for at in (datetime.fromtimestamp(each / 1000, zone) for each in asked_ms.tolist())]
    return np.array(read, dtype=np.int64).reshape(-1, 2)


@numba.njit(cache=True, nogil=True)
def of_last(starts: Any, items: Any, ages_s: Any, category: Any, pair_starts: Any, pair_items: Any, table: Any) -> None:
    """1 / (1 + place), 1 / (1 + hours) of a candidate among the last items; the share of last items in its category."""
    for row in range(len(starts) - 1):
        first, last = starts[row], starts[row + 1]
        if first == last:
            continue
        numbers, of_row = pair_items[pair_starts[row] : pair_starts[row + 1]], table[pair_starts[row] : pair_starts[row + 1]]
        kinds, alike = np.empty(len(numbers), dtype=np.int64), np.zeros(len(numbers), dtype=np.int64)
        for at in range(len(numbers)):
            kinds[at] = category[numbers[at]]
        for place in range(first, last):  # whole columns at a time, which a processor does several places at once
            kind = category[items[place]]
            if kind >= 0:
                for at in range(len(numbers)):
                    alike[at] += kinds[at] == kind
            for at in range(len(numbers)):
                if numbers[at] == items[place] and of_row[at, 0] == 0:
                    of_row[at, 0] = 1 / (1.0 + place - first)
                    of_row[at, 1] = 1 / (1.0 + ages_s[place] / 3600)
        for at in range(len(numbers)):
            of_row[at, 2] = alike[at] / (last - first)
