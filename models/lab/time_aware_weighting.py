"""Time-aware item weighting: what a person bought counts by the time since then, learnt for each item, mixed with neighbours.

It does not serve: it is the rival that the blend of baskets is measured by, and one of that blend's sources.
"""

from __future__ import annotations

from typing import Self

import numpy as np
import numpy.typing as npt
from scipy import sparse

from models.algorithms.recommender import NotFitted, Scores, State
from models.algorithms.sparse_rows import pack, top_entries, unpack
from models.algorithms.tifu_knn import equal_rows
from models.data.baskets import Purchases, check_purchases, check_range
from models.data.sequences import Numbers
from models.lab.repurchase_kernels import Parameters, by_pair, first_kernels, intensities, learn_epoch, mean_gap

BATCH = 512
KEPT = 500  # items of each person
FIRST_SQUARES = 0.1  # of Adagrad: the first steps are no longer than the rate over its root


class TAIW:
    """x_ui = p_u · q_i + Σ over the person's purchases of i of a_i ((1 − π_i) Exp(t; β_i) + π_i N(t; μ_i, σ_i)), t the time
    from the purchase to when the basket is asked for; the forecast is own_share · x_u + (1 − own_share) · mean of x over the
    ``neighbours`` nearest persons by cosine (Romanov et al., Time-Aware Item Weighting for the Next Basket Recommendations,
    RecSys 2023).

    p, q and the kernels are learnt together so that a purchase scores above an item never bought (BPR), by Adagrad here.
    Kernel time runs in ``unit`` mean gaps between two purchases of an item by a person (the paper: ten weeks). Where no time
    of asking is known, it is the person's newest basket and the mean time between theirs.
    """

    name = "taiw"

    def __init__(
        self,
        factors: int = 16,
        neighbours: int = 100,
        own_share: float = 0.7,
        epochs: int = 3,
        rate: float = 0.01,
        ridge: float = 0.001,
        unit: float = 3.0,
        seed: int = 7,
    ) -> None:
        self.factors = factors
        self.neighbours = neighbours
        self.own_share = own_share
        self.epochs = epochs
        self.rate = rate
        self.ridge = ridge
        self.unit = unit
        self.seed = seed
        self.kernels_: Parameters | None = None
        self.people_: Parameters | None = None
        self.things_: Parameters | None = None
        self.pace_: float = 1.0
        self.scale_: float = 1.0
        self.counts_: sparse.csr_matrix | None = None
        self.excited_: sparse.csr_matrix | None = None

    def fit(self, purchases: Purchases) -> Self:
        """Learn kernels and factors, and remember everybody's scores at the time that they are asked about."""
        check_purchases(purchases)
        newest, oldest = purchases.ends()
        gaps = purchases.baskets - 1
        self.pace_ = float((newest - oldest).sum() / max(1, gaps[gaps > 0].sum())) or 1.0
        self.scale_ = self.unit * mean_gap(purchases)
        self._learn(purchases)
        self.counts_ = purchases.summed(np.ones(len(purchases)))
        self.excited_ = self.excitement(purchases)
        return self

    def _learn(self, purchases: Purchases) -> None:
        rng = np.random.default_rng(self.seed)
        order, start = by_pair(purchases)
        user, item, at = purchases.user[order], purchases.item[order], purchases.at[order] / self.scale_
        counts = purchases.summed(np.ones(len(purchases)))
        kernels = first_kernels(purchases.items, 1 / self.unit)
        people = rng.normal(0, 0.01, (purchases.users, self.factors))
        things = rng.normal(0, 0.01, (purchases.items, self.factors))
        squares = [np.full_like(each, FIRST_SQUARES) for each in (kernels, people, things)]
        # Without factors a first purchase says nothing: nothing that is learnt scores it.
        taught = np.arange(len(order)) if self.factors else np.flatnonzero(start < np.arange(len(order)))
        for _ in range(self.epochs):
            negatives = rng.integers(purchases.items, size=len(taught))
            learn_epoch(
                *(user, item, at, start, counts.indices, counts.indptr, rng.permutation(taught), negatives),
                *(kernels, squares[0], people, squares[1], things, squares[2], self.rate, self.ridge),
            )
        self.kernels_, self.people_, self.things_ = kernels, people, things

    def excitement(self, histories: Purchases) -> sparse.csr_matrix:
        """Sums of the kernels, users × items, without tastes and neighbours."""
        if self.kernels_ is None:
            raise NotFitted("fit TAIW first")
        elapsed = np.maximum(self.asked_at(histories)[histories.user] - histories.at, 0) / self.scale_
        return histories.summed(intensities(self.kernels_, histories.item, elapsed))

    def asked_at(self, histories: Purchases) -> npt.NDArray[np.float64]:
        """When each user's next basket is asked for, in units of ``at``."""
        newest, oldest = histories.ends()
        pace = np.where(histories.baskets > 1, (newest - oldest) / np.maximum(histories.baskets - 1, 1), self.pace_)
        guess = newest + pace
        return guess if histories.asked_at is None else np.where(np.isnan(histories.asked_at), guess, histories.asked_at)

    def score(self, histories: Purchases) -> sparse.csr_matrix:
        """The best items of each user, lifted above zero; none for a user of whom nothing is known."""
        if self.people_ is None or self.things_ is None or self.counts_ is None or self.excited_ is None:
            raise NotFitted("fit TAIW first")
        excited = self.excitement(check_range(histories))
        person = equal_rows(histories.summed(np.ones(len(histories))), self.counts_)
        people = np.where((person >= 0)[:, None], self.people_[np.maximum(person, 0)], 0)
        norms = self._norms(self.people_, self.excited_)
        parts = []
        for start in range(0, len(person), BATCH):
            rows = slice(start, start + BATCH)
            near = self._nearest(people[rows], excited[rows], norms)
            spread = self.own_share * excited[rows] + (1 - self.own_share) * (near @ self.excited_)
            if self.factors == 0:
                parts.append(top_entries(sparse.csr_matrix(spread, dtype=np.float32), KEPT))
                continue
            tastes = self.own_share * people[rows] + (1 - self.own_share) * (near @ self.people_)
            parts.append(_lifted(np.asarray(spread.toarray() + tastes @ self.things_.T, dtype=np.float32)))
        result = sparse.csr_matrix(sparse.vstack(parts, format="csr") if parts else excited.shape, dtype=np.float32)
        result.eliminate_zeros()
        return result

    def _norms(self, people: Parameters, excited: sparse.csr_matrix) -> Parameters:
        """Of whole rows x, without writing them out."""
        if self.things_ is None:
            raise NotFitted("fit TAIW first")
        both = 2 * ((excited @ self.things_) * people).sum(axis=1)
        tastes = ((people @ (self.things_.T @ self.things_)) * people).sum(axis=1)
        squares = np.asarray(excited.multiply(excited).sum(axis=1)).ravel() + both + tastes
        return np.asarray(np.sqrt(np.maximum(squares, 1e-24)), dtype=np.float64)

    def _nearest(self, people: Parameters, excited: sparse.csr_matrix, norms: Parameters) -> sparse.csr_matrix:
        """Rows × persons of the fit, 1 / neighbours for each of the nearest; nobody is near to a row of zeros."""
        if self.people_ is None or self.things_ is None or self.excited_ is None:
            raise NotFitted("fit TAIW first")
        tastes = people @ (self.things_.T @ self.things_) + excited @ self.things_
        alike = np.asarray((excited @ self.excited_.T).toarray()) + tastes @ self.people_.T
        alike += people @ (self.excited_ @ self.things_).T
        most = min(self.neighbours, alike.shape[1])
        best = np.argsort(-(alike / norms), axis=1, kind="stable")[:, :most]
        is_near = np.take_along_axis(alike, best, axis=1) > 0
        share = is_near / np.maximum(is_near.sum(axis=1, keepdims=True), 1)
        rows: Numbers = np.repeat(np.arange(len(best)), most)
        return sparse.csr_matrix((share.ravel(), (rows, best.ravel())), shape=alike.shape)

    def state(self) -> State:
        """Kernels, factors, and what everybody bought and is expected to buy again."""
        if self.kernels_ is None or self.people_ is None or self.things_ is None:
            raise NotFitted("fit TAIW first")
        if self.counts_ is None or self.excited_ is None:
            raise NotFitted("fit TAIW first")
        factors = {"kernels": self.kernels_, "people": self.people_, "things": self.things_}
        clock = np.array([self.pace_, self.scale_])
        return {**factors, "clock": clock, **pack("counts", self.counts_), **pack("excited", self.excited_)}

    def from_state(self, state: State) -> Self:
        """Take over what ``state`` gives."""
        self.kernels_, self.people_, self.things_ = (state[name].astype(np.float64) for name in ("kernels", "people", "things"))
        self.pace_, self.scale_ = (float(each) for each in state["clock"])
        self.counts_, self.excited_ = unpack("counts", state), unpack("excited", state)
        return self


class TAIWI(TAIW):
    """The same by repurchases alone: no tastes, so no item has a strength of its own; the paper's TAIWI."""

    name = "taiwi"

    def __init__(
        self,
        neighbours: int = 100,
        own_share: float = 0.7,
        epochs: int = 2,
        rate: float = 0.002,
        unit: float = 3.0,
        seed: int = 7,
    ) -> None:
        super().__init__(0, neighbours, own_share, epochs, rate, 0.0, unit, seed)


def _lifted(scores: Scores) -> sparse.csr_matrix:
    """The ``KEPT`` largest of each row, the least of them just above zero; nothing of a row whose scores are all equal."""
    kept = min(KEPT, scores.shape[1])
    best = np.argpartition(-scores, kept - 1, axis=1)[:, :kept]
    values = np.take_along_axis(scores, best, axis=1)
    values = values - values.min(axis=1, keepdims=True) + 1e-6
    values[scores.max(axis=1) == scores.min(axis=1)] = 0
    rows = np.repeat(np.arange(len(best)), kept)
    return sparse.csr_matrix((values.ravel(), (rows, best.ravel())), shape=scores.shape, dtype=np.float32)
