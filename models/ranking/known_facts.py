"""What a release knows of items, persons and pairs of them when it learns, for the ranker at a request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numba
import numpy as np
import numpy.typing as npt

from models.algorithms.recommender import Scores, State
from models.data.interactions import Interactions
from models.data.sequences import Numbers
from models.ranking.context_facts import ContextFacts
from models.ranking.listed import RequestPairs, find

PAIR = ("views", "adds", "payments", "recency", "paid_recency")
ITEM = ("sales", "sales_14d")
PERSON = ("orders", "acts")
_KINDS = ("view", "add", "pay")
_DAY_MS = 86_400_000.0


@dataclass(frozen=True)
class KnownFacts:
    """Facts of the acts before a cut.

    ``item_logs`` and ``person_logs``: log(1 + count) by ``ITEM`` and ``PERSON``; ``category``: a number for each item, −1 for
    none. Of person p the pairs ``starts[p]`` to ``starts[p + 1]``: ``items`` rising, ``counts`` of views, adds and payments,
    epoch ms of the last act and of the last payment (0 for none). ``contexts``: none of releases from before.
    """

    item_logs: Scores
    category: Numbers
    person_logs: Scores
    starts: Numbers
    items: npt.NDArray[np.int32]
    counts: Scores
    last_ms: Numbers
    paid_ms: Numbers
    contexts: ContextFacts

    @classmethod
    def of(cls, acts: Interactions, as_of: np.datetime64, category: Numbers, orders: Numbers) -> Self:
        """Facts of the acts; ``orders`` of each person."""
        items, persons = len(acts.item_ids), len(acts.person_ids)
        of_persons = np.log1p(np.column_stack([orders, np.bincount(acts.person, minlength=persons)])).astype(np.float32)
        key = acts.person * items + acts.item
        order = np.argsort(key, kind="stable")
        key = key[order]
        first = np.flatnonzero(np.diff(key, prepend=-1))
        pair, kind = key[first], acts.kind[order]
        at_ms = acts.occurred_at[order].astype("datetime64[ms]").astype(np.int64)
        counts = np.column_stack([np.add.reduceat(kind == each, first, dtype=np.float32) for each in _KINDS])
        last_ms = np.maximum.reduceat(at_ms, first)
        paid_ms = np.maximum.reduceat(np.where(kind == "pay", at_ms, 0), first)
        starts = np.searchsorted(pair, np.arange(persons + 1) * items).astype(np.int64)
        logs, contexts = logs_of_items(acts, as_of), ContextFacts.of(acts)
        return cls(logs, category, of_persons, starts, (pair % items).astype(np.int32), counts, last_ms, paid_ms, contexts)

    def columns(self, person: Numbers, asked_ms: Numbers, pairs: RequestPairs) -> Scores:
        """Columns ``PAIR``, ``ITEM``, ``PERSON`` of each pair; ``person`` is that of each row, −1 for a stranger."""
        of_pairs = np.zeros((len(pairs.items), len(PAIR)), dtype=np.float32)
        history_arrays = (self.starts, self.items, self.counts, self.last_ms, self.paid_ms)
        history(person, asked_ms, pairs.starts, pairs.items, *history_arrays, of_pairs)
        of_person = np.where((person >= 0)[:, None], self.person_logs[person], np.float32(0))
        return np.concatenate([of_pairs, self.item_logs[pairs.items], of_person[pairs.row]], axis=1)

    def state(self) -> State:
        """All arrays by name."""
        return {name: getattr(self, name) for name in _ARRAYS} | self.contexts.state()

    @classmethod
    def from_state(cls, state: State, persons: int, items: int) -> Self:
        """Facts of so many persons and items. Raises ValueError where they are of others."""
        contexts = ContextFacts.from_state(state, items)
        if set(state) != {*_ARRAYS, *contexts.state()}:
            raise ValueError(f"facts have the arrays {sorted(_ARRAYS)}, found {sorted(state)}")
        facts = cls(**{name: state[name] for name in _ARRAYS}, contexts=contexts)  # type: ignore[arg-type]
        is_whole = facts.item_logs.shape == (items, len(ITEM)) and facts.person_logs.shape == (persons, len(PERSON))
        is_whole &= facts.category.shape == (items,) and facts.starts.shape == (persons + 1,)
        pairs = len(facts.items)
        is_whole = is_whole and facts.starts[0] == 0 and facts.starts[-1] == pairs and bool((np.diff(facts.starts) >= 0).all())
        is_whole = is_whole and facts.counts.shape == (pairs, 3) and facts.last_ms.shape == facts.paid_ms.shape == (pairs,)
        if not is_whole or (pairs and (facts.items.min() < 0 or facts.items.max() >= items)):
            raise ValueError(f"facts are not those of {persons} persons and {items} items")
        return facts


_ARRAYS = tuple(name for name in KnownFacts.__dataclass_fields__ if name != "contexts")


def logs_of_items(acts: Interactions, as_of: np.datetime64) -> Scores:
    """Columns ``ITEM`` of every item."""
    recent = acts.where(acts.occurred_at > as_of - np.timedelta64(14, "D"))
    return np.log1p(np.column_stack([acts.sales(), recent.sales()])).astype(np.float32)


@numba.njit(cache=True, nogil=True)
def history(
    person: Any,
    asked_ms: Any,
    pair_starts: Any,
    pair_items: Any,
    starts: Any,
    items: Any,
    counts: Any,
    last_ms: Any,
    paid_ms: Any,
    table: Any,
) -> None:
    for row in range(len(person)):
        if person[row] < 0:
            continue
        first, last = starts[person[row]], starts[person[row] + 1]
        for at in range(pair_starts[row], pair_starts[row + 1]):
            place = find(items, first, last, pair_items[at])
            if place < 0:
                continue
            for column in range(3):
                table[at, column] = counts[place, column]
            table[at, 3] = 1 / (1 + max(0.0, (asked_ms[row] - last_ms[place]) / _DAY_MS))
            if paid_ms[place] > 0:
                table[at, 4] = 1 / (1 + max(0.0, (asked_ms[row] - paid_ms[place]) / _DAY_MS))
