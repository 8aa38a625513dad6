"""TIFU-kNN: personal frequency over time, mixed with that of similar people (Hu et al., SIGIR 2020)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Self

import numpy as np
import numpy.typing as npt
from scipy import sparse

from models.algorithms.nearest_rows import NearestRows
from models.algorithms.recommender import NotFitted, State
from models.algorithms.sparse_rows import pack, top_entries, unpack
from models.data.baskets import Purchases, check_purchases, check_range
from models.data.sequences import Numbers

BATCH = 512
KEPT = 500  # items of each person: hundreds of neighbours bring tens of thousands, of which a list needs the first


class TIFUKNN:
    """A person's vector fades twice, within groups of baskets and across them; the forecast is
    alpha · vector + (1 − alpha) · mean.

    The baskets of a person, newest last, fall into ``groups`` groups; an item weighs fade_in_group^(baskets after it in its
    group) · fade_across^(groups after its own), averaged. The mean is over the ``neighbours`` nearest vectors by Euclidean
    distance.
    """

    name = "tifu_knn"

    def __init__(
        self,
        neighbours: int = 300,
        groups: int = 7,
        fade_in_group: float = 0.9,
        fade_across: float = 0.7,
        alpha: float = 0.7,
    ) -> None:
        self.neighbours = neighbours
        self.groups = groups
        self.fade_in_group = fade_in_group
        self.fade_across = fade_across
        self.alpha = alpha
        self.vectors_: sparse.csr_matrix | None = None

    def fit(self, purchases: Purchases, persons: Numbers | None = None) -> Self:
        """Remember the vectors of everybody, or of some ``persons``, among whom neighbours are then looked for."""
        vectors = self.vectors(check_purchases(purchases))
        vectors = vectors if persons is None else vectors[persons]
        self.vectors_ = vectors[np.diff(vectors.indptr) > 0]
        return self

    def vectors(self, purchases: Purchases) -> sparse.csr_matrix:
        """Users × items."""
        size = np.maximum(1, -(-purchases.baskets // self.groups))[purchases.user]
        count = np.maximum(1, purchases.baskets)[purchases.user]
        group, place = purchases.back // size, purchases.back % size
        groups = -(-count // size)
        in_group = np.where(group == groups - 1, count - group * size, size)
        return purchases.summed(self.fade_across**group * self.fade_in_group**place / (in_group * groups))

    def score(self, histories: Purchases) -> sparse.csr_matrix:
        """Own vector and neighbours' mean; a person found among the neighbours is left out of them."""
        parts = []
        for _, mine, near in self.parts(histories, BATCH):
            mixed = sparse.csr_matrix(mine + near @ self._fitted(), dtype=np.float32)
            mixed.eliminate_zeros()
            parts.append(top_entries(mixed, KEPT))
        return sparse.csr_matrix(sparse.vstack(parts, format="csr") if parts else (0, histories.items), dtype=np.float32)

    def parts(self, histories: Purchases, batch: int) -> Iterator[tuple[slice, sparse.csr_matrix, sparse.csr_matrix]]:
        """What ``score`` adds up for some persons at a time: which, own vectors (weighed) and shares of neighbours (weighed),
        persons × ``vectors_``.

        A person without baskets is as near to everybody as to nobody: what is popular follows from no neighbours at all.
        """
        others = self._fitted()
        mine = self.vectors(check_range(histories))
        oneself, nearest = equal_rows(mine, others), NearestRows(others)
        for start in range(0, mine.shape[0], batch):
            rows = slice(start, min(start + batch, mine.shape[0]))
            near = nearest.of(mine[rows], oneself[rows], self.neighbours)
            count = np.diff(near.indptr) * (np.diff(mine[rows].indptr) > 0)
            share = np.divide(1 - self.alpha, count, out=np.zeros(len(count)), where=count > 0)
            shares = sparse.csr_matrix(sparse.diags(share.astype(np.float32)) @ near, dtype=np.float32)
            shares.eliminate_zeros()
            yield rows, sparse.csr_matrix(self.alpha * mine[rows], dtype=np.float32), shares

    def _fitted(self) -> sparse.csr_matrix:
        if self.vectors_ is None:
            raise NotFitted("fit TIFU-kNN first")
        return self.vectors_

    def state(self) -> State:
        """The vectors."""
        return pack("vectors", self._fitted())

    def from_state(self, state: State) -> Self:
        """Take over vectors."""
        self.vectors_ = unpack("vectors", state)
        return self


def equal_rows(rows: sparse.csr_matrix, others: sparse.csr_matrix) -> Numbers:
    """For each row the number of one equal row of ``others``, −1 without one.

    A person's own vector is equal to the last bit, while its distance by float32 sums is noise as large as that of near ones.
    Of twins one is left out, and which does not matter: the vectors are the same.
    """
    if others.shape[0] == 0:
        return np.full(rows.shape[0], -1, dtype=np.int64)
    known, place = np.unique(_fingerprints(others), return_index=True)
    mine = _fingerprints(rows)
    at = np.minimum(np.searchsorted(known, mine), len(known) - 1)
    return np.where((known[at] == mine) & (np.diff(rows.indptr) > 0), place[at], -1).astype(np.int64)


def _fingerprints(rows: sparse.csr_matrix) -> npt.NDArray[np.uint64]:
    """64 bits that equal rows share, whatever the order of their entries."""
    key = rows.indices.astype(np.uint64) << np.uint64(32) | rows.data.astype(np.float32).view(np.uint32).astype(np.uint64)
    for shift, factor in ((33, 0xFF51AFD7ED558CCD), (33, 0xC4CEB9FE1A85EC53)):  # the finaliser of MurmurHash3, by A. Appleby
        key = (key ^ (key >> np.uint64(shift))) * np.uint64(factor)
    key ^= key >> np.uint64(33)
    sums: npt.NDArray[np.uint64] = np.zeros(len(key) + 1, dtype=np.uint64)
    np.cumsum(key, out=sums[1:])
    return np.asarray(sums[rows.indptr[1:]] - sums[rows.indptr[:-1]], dtype=np.uint64)
