"""Visits and orders of persons, cut from their acts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from jishi.tables import VISIT_PAUSE_S
from models.data.baskets import Purchases
from models.data.interactions import Interactions
from models.data.sequences import Numbers, Sequences
from models.data.split import Instants

LOOKED_BACK = 20  # items, as many as the online store keeps of a person
PAUSE = np.timedelta64(VISIT_PAUSE_S, "s")
_DAY = np.timedelta64(1, "D")


@dataclass(frozen=True)
class PersonSequences:
    """Sequences of items with the person and the start of each; of the entries ``is_view`` marks views, ``at`` says when."""

    person: Numbers
    started_at: Instants
    items: Sequences
    is_view: npt.NDArray[np.bool_]
    at: Instants

    def __len__(self) -> int:
        return len(self.person)

    def take(self, rows: Numbers) -> PersonSequences:
        """Some rows, in that order."""
        place = Sequences(np.arange(len(self.at)), self.items.starts, len(self.at)).take(rows).flat
        return PersonSequences(
            self.person[rows], self.started_at[rows], self.items.take(rows), self.is_view[place], self.at[place]
        )


def visits(acts: Interactions) -> PersonSequences:
    """What each person acted upon without a pause of 30 minutes, oldest first; visits ordered by their start, then person.

    Acts on one item in a row (looked at, put into the cart, paid) are one entry: nobody needs to be led to where they are.
    """
    order = np.lexsort((np.arange(len(acts)), acts.occurred_at, acts.person))
    person, item, at, is_view = acts.person[order], acts.item[order], acts.occurred_at[order], acts.kind[order] == "view"
    begins = _changes(person) | np.concatenate([[True], np.diff(at) > PAUSE])[: len(at)]
    kept = begins | _changes(item)
    return _in_order(person[kept], item[kept], at[kept], is_view[kept], begins[kept], len(acts.item_ids))


def orders(acts: Interactions) -> PersonSequences:
    """The distinct items that each person paid for in one instant, rising; orders ordered by time, then person."""
    paid = acts.where(acts.kind == "pay")
    order = np.lexsort((paid.item, paid.occurred_at, paid.person))
    person, item, at = paid.person[order], paid.item[order], paid.occurred_at[order]
    begins = _changes(person) | _changes(at)
    kept = begins | _changes(item)
    nothing = np.zeros(int(kept.sum()), dtype=np.bool_)
    return _in_order(person[kept], item[kept], at[kept], nothing, begins[kept], len(acts.item_ids))


def purchases(bought: PersonSequences, persons: int, as_of: np.datetime64) -> Purchases:
    """Orders as baskets of persons; ``at`` counts days up to ``as_of``, negative."""
    in_order = bought.take(np.lexsort((bought.started_at, bought.person)))
    baskets = np.bincount(in_order.person, minlength=persons).astype(np.int64)
    place = np.arange(len(in_order)) - (np.cumsum(baskets) - baskets)[in_order.person]
    back = baskets[in_order.person] - 1 - place
    at = np.asarray((in_order.started_at - as_of) / _DAY, dtype=np.float64)
    lengths = in_order.items.lengths
    owner, back, at = (np.repeat(in_order.person, lengths), np.repeat(back, lengths), np.repeat(at, lengths))
    return Purchases(owner, in_order.items.flat, back, at, baskets, in_order.items.items)


def _changes(values: npt.NDArray[np.generic]) -> npt.NDArray[np.bool_]:
    return np.concatenate([[True], values[1:] != values[:-1]])[: len(values)]


def _in_order(
    person: Numbers, item: Numbers, at: Instants, is_view: npt.NDArray[np.bool_], begins: npt.NDArray[np.bool_], items: int
) -> PersonSequences:
    firsts = np.flatnonzero(begins)
    starts = np.append(firsts, len(item)).astype(np.int64)
    sequences = PersonSequences(person[firsts], at[firsts], Sequences(item, starts, items), is_view, at)
    return sequences.take(np.lexsort((sequences.person, sequences.started_at)))
