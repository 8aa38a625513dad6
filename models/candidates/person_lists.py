"""Personal lists computed with the release, with the origin of each entry, from which serving explains it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse

from models.algorithms.recommender import Scores, State
from models.candidates.live_lists import ListTable, list_table
from models.data.sequences import Numbers

LENGTH = 50
# Why an entry is there; the names are those of serving's reasons. ``like_yours`` has the item that was the cause.
ORIGINS = (
    *("bought_often", "bought_before", "seen_before", "like_yours", "people_like_you", "due_again"),
    *("taste", "popularity", "trending", "new"),
)
_NUMBER = {name: number for number, name in enumerate(ORIGINS)}


class BadLists(ValueError):
    """The arrays of an artefact are not lists of persons; the message names the fault."""


@dataclass(frozen=True)
class PersonalList:
    """One person's entries, best first; ``because`` is an item or −1."""

    items: Numbers
    weights: Scores
    origins: tuple[str, ...]
    because: Numbers


@dataclass(frozen=True)
class PersonLists:
    """Persons × places: item (−1 for none), weight above zero, number of the origin in ``ORIGINS``, item that was the cause.

    Of a list that is the same for everybody there is one row.
    """

    items: npt.NDArray[np.int32]
    weights: Scores
    origins: npt.NDArray[np.int8]
    because: npt.NDArray[np.int32]

    @classmethod
    def of(cls, items: Numbers, weights: Scores, origin: Numbers | str, because: Numbers | None = None) -> PersonLists:
        """From lists with one origin, or a number of one for each entry."""
        numbers = np.full(items.shape, _NUMBER[origin]) if isinstance(origin, str) else origin
        causes = np.full(items.shape, -1) if because is None else because
        return cls(items.astype(np.int32), weights.astype(np.float32), numbers.astype(np.int8), causes.astype(np.int32))

    @classmethod
    def of_all(cls, parts: Sequence[PersonLists]) -> PersonLists:
        """The lists of some persons after those of others, as wide as the longest one."""
        width = max(1, *(int((part.items >= 0).any(axis=0).sum()) for part in parts))
        names = ("items", "weights", "origins", "because")
        return cls(*(np.concatenate([getattr(part, name)[:, :width] for part in parts]) for name in names))

    def matrix(self, persons: Numbers, items: int) -> sparse.csr_matrix:
        """Persons × items; nothing for a person of number −1."""
        rows = self._rows(persons)
        known = (self.items[rows] >= 0) & (persons >= 0)[:, None]
        starts = np.concatenate([[0], np.cumsum(known.sum(axis=1))])
        return sparse.csr_matrix((self.weights[rows][known], self.items[rows][known], starts), shape=(len(persons), items))

    def _rows(self, persons: Numbers) -> Numbers:
        """Where the list of each person stands."""
        return persons if len(self.items) > 1 else np.zeros(len(persons), dtype=np.int64)

    def head(self, places: int) -> PersonLists:
        """The first places of each list."""
        here = (slice(None), slice(0, places))
        return PersonLists(self.items[here], self.weights[here], self.origins[here], self.because[here])

    def table(self) -> ListTable:
        """The same as it is read at a request."""
        return list_table(self.items, self.weights, self.origins, self.because)

    def of_person(self, person: int) -> PersonalList:
        """One person's list."""
        row = person if len(self.items) > 1 else 0
        here = self.items[row] >= 0
        origins = tuple([ORIGINS[number] for number in self.origins[row][here].tolist()])
        because = self.because[row][here].astype(np.int64)
        return PersonalList(self.items[row][here].astype(np.int64), self.weights[row][here], origins, because)

    def state(self) -> State:
        """The four arrays."""
        return {name: getattr(self, name) for name in ("items", "weights", "origins", "because")}

    @classmethod
    def from_state(cls, state: State, persons: int, items: int) -> PersonLists:
        """Lists of so many persons, or one for all of them, over so many items. Raises BadLists."""
        if set(state) != {"items", "weights", "origins", "because"}:
            raise BadLists(f"lists have the arrays items, weights, origins and because, found {sorted(state)}")
        shapes = {array.shape for array in state.values()}
        if len(shapes) != 1 or len(next(iter(shapes))) != 2 or next(iter(shapes))[0] not in (1, persons):
            raise BadLists(f"lists of {persons} persons have another shape: {sorted(map(str, shapes))}")
        for name, least, most in (("items", -1, items - 1), ("because", -1, items - 1), ("origins", 0, len(ORIGINS) - 1)):
            numbers = np.asarray(state[name], dtype=np.int64)
            if numbers.size and (numbers.min() < least or numbers.max() > most):
                raise BadLists(f"{name} of the lists hold a number outside {least} to {most}")
        return cls(**state)  # type: ignore[arg-type]


def origin(name: str) -> int:
    """Number of an origin."""
    return _NUMBER[name]
