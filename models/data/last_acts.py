"""The last items that a person looked at or put into the cart, as the online store would say at an instant, and by what the
person came, as a request then would say.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.data.act_contexts import CONTEXT, UNKNOWN, ActContexts
from models.data.interactions import Interactions
from models.data.sequences import Numbers
from models.data.visits import LOOKED_BACK

LISTED = ("view", "add")  # acts that the feature of last items is made of
_SECOND = np.timedelta64(1, "s")
Ages = np.ndarray
_PLACE = CONTEXT.index("place")
_PERSON = 2**42  # beyond every instant (epoch ms) of a hundred years


class LastActs:
    """Acts in the order of knowing, by person."""

    def __init__(self, acts: Interactions) -> None:
        self._contexts = _NewestContexts.of(acts)
        acts = acts.where(np.isin(acts.kind, LISTED))
        order = np.lexsort((np.arange(len(acts)), acts.known_at, acts.person))
        self._person, self._item, self._known_at = acts.person[order], acts.item[order], acts.known_at[order]

    def at(self, person: int, instant: np.datetime64) -> tuple[Numbers, Ages]:
        """Numbers of the different items of the last 20 acts known at the instant, newest first, and how many seconds ago each
        became known.
        """
        first, last = np.searchsorted(self._person, [person, person + 1])
        end = first + int(np.searchsorted(self._known_at[first:last], instant, side="right"))
        span = slice(max(first, end - LOOKED_BACK), end)
        items, ages = self._item[span][::-1], (instant - self._known_at[span][::-1]) / _SECOND
        newest = np.sort(np.unique(items, return_index=True)[1])
        return items[newest], np.asarray(ages[newest], dtype=np.float64)

    @property
    def context_values(self) -> tuple[str, ...]:
        """The channels, devices and places of all acts."""
        return () if self._contexts is None else self._contexts.contexts.values

    def contexts_at(self, person: Numbers, instant: np.ndarray) -> Numbers:
        """Numbers into ``context_values`` of each person who asks at an instant, −1 for unknown, (persons, ``CONTEXT``).

        Channel and device are those of the visit that the question is part of: of the person's first act from the instant on,
        or, where no more is known of them, of the newest before. The place is the newest known one.
        """
        if self._contexts is None:
            return np.full((len(person), len(CONTEXT)), UNKNOWN, dtype=np.int64)
        return self._contexts.at(person, instant)


@dataclass(frozen=True)
class _NewestContexts:
    """Contexts of acts by ``key``, person and epoch ms in one rising number; ``placed``: the acts whose place is known."""

    contexts: ActContexts
    key: Numbers
    placed: Numbers

    @classmethod
    def of(cls, acts: Interactions) -> _NewestContexts | None:
        """Of the acts; None where nothing was read of them."""
        if acts.contexts is None:
            return None
        key = _key(acts.person, acts.occurred_at)
        order = np.argsort(key, kind="stable")
        contexts = acts.contexts.where(order)
        return cls(contexts, key[order], np.flatnonzero(contexts.numbers[:, _PLACE] >= 0))

    def at(self, person: Numbers, instant: np.ndarray) -> Numbers:
        """As ``LastActs.contexts_at``."""
        wanted, at = _key(person, instant), np.full((len(person), len(CONTEXT)), UNKNOWN, dtype=np.int64)
        every = np.arange(len(self.key))
        for kind in range(len(CONTEXT)):
            rows = self.placed if kind == _PLACE else every
            newest = np.searchsorted(self.key[rows], wanted, side="right") - 1
            self._put(at, kind, person, rows, newest)
            if kind != _PLACE:
                self._put(at, kind, person, rows, np.searchsorted(self.key[rows], wanted))
        return at

    def _put(self, at: Numbers, kind: int, person: Numbers, rows: Numbers, place: Numbers) -> None:
        """What the act at a place of ``rows`` says, where that is one of the person."""
        exists = (place >= 0) & (place < len(rows))
        act = rows[place[exists]]
        is_theirs = self.key[act] // _PERSON == person[exists]
        at[np.flatnonzero(exists)[is_theirs], kind] = self.contexts.numbers[act[is_theirs], kind]


def _key(person: Numbers, at: np.ndarray) -> Numbers:
    return person * _PERSON + at.astype("datetime64[ms]").astype(np.int64)
