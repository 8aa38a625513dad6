"""Factors under a multinomial: what a person turns to next is a draw among all items, by taste and by the item's appeal.

It does not serve: every sweep touches all persons × items, which only small shops can afford.
"""

from __future__ import annotations

from typing import Self

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import svds

from models.algorithms.recommender import NotFitted, Scores, State, check_histories

BLOCK = 512  # persons whose chances of all items are held at a time
_FOLDING = 6  # Newton steps from no taste to a history's; more change nothing that float32 can tell
_SPREAD = 0.7  # of item factors before the first step
_LONGEST = 2.0  # of a Newton step, in units of taste


class MultinomialFactors:
    """Chance of item i for person u = softmax over i of u · v_i + b_i, fitted by maximum a posteriori.

    The likelihood is that of Liang et al. (Variational Autoencoders for Collaborative Filtering, WWW 2018), the network a
    single linear layer. u and v have Gaussian priors of precision ``person_ridge`` and ``item_ridge``. Each of
    ``iterations`` takes one Newton step for every person, then one for every item, whose Hessians are coupled only through
    the softmax; the coupling between items is left out and the steps are damped. A person's factors follow from a history
    alone. A history's weights count as draws.
    """

    name = "multinomial"

    def __init__(
        self,
        factors: int = 8,
        person_ridge: float = 2.0,
        item_ridge: float = 10.0,
        iterations: int = 12,
        damping: float = 0.7,
    ) -> None:
        self.factors = factors
        self.person_ridge = person_ridge
        self.item_ridge = item_ridge
        self.iterations = iterations
        self.damping = damping
        self.items_: Scores | None = None
        self.appeal_: Scores | None = None

    def fit(self, histories: sparse.csr_matrix, sales: Scores) -> Self:
        """Learn item factors and appeals."""
        x = check_histories(histories, len(sales))
        x = x[np.diff(x.indptr) > 0]
        seen = np.asarray(x.sum(axis=0), dtype=np.float32).ravel() + np.float32(0.5)
        self.appeal_ = np.log(seen / seen.sum())
        self.items_ = _first_guess(x, seen, self.factors)
        persons = np.zeros((x.shape[0], self.items_.shape[1]), dtype=np.float32)
        for _ in range(self.iterations):
            self._step(x, persons)
        return self

    def _step(self, x: sparse.csr_matrix, persons: Scores) -> None:
        """One Newton step for ``persons``, in place, and one for the items."""
        items, appeal = self._fitted()
        rank = items.shape[1]
        slope = -self.item_ridge * items
        bend = np.tile(self.item_ridge * np.eye(rank, dtype=np.float32), (len(items), 1, 1))
        missing, certainty = np.zeros_like(appeal), np.ones_like(appeal)
        for start in range(0, x.shape[0], BLOCK):
            part, here = x[start : start + BLOCK], persons[start : start + BLOCK]
            here[...] = self._moved(part, here)
            draws = np.asarray(part.sum(axis=1), dtype=np.float32)
            chance = self._chances(here)
            expected = chance * draws
            missing += np.asarray(part.sum(axis=0)).ravel() - expected.sum(axis=0)
            slope += np.asarray(part.T @ here) - expected.T @ here
            spread = expected * (1 - chance)
            certainty += spread.sum(axis=0)
            bend += (spread.T @ _outer(here)).reshape(bend.shape)
        self.items_ = items + np.float32(self.damping) * _newton(slope, bend, 1.0)
        self.appeal_ = appeal + np.float32(self.damping) * np.clip(missing / certainty, -1, 1)

    def _moved(self, x: sparse.csr_matrix, persons: Scores) -> Scores:
        """Factors of persons after one Newton step."""
        items, _ = self._fitted()
        draws = np.asarray(x.sum(axis=1), dtype=np.float32)
        chance = self._chances(persons)
        mean = chance @ items
        slope = np.asarray(x @ items) - draws * mean - self.person_ridge * persons
        bend = (chance @ _outer(items)).reshape(len(persons), *2 * items.shape[1:]) - mean[:, :, None] * mean[:, None, :]
        bend = draws[:, :, None] * bend + self.person_ridge * np.eye(items.shape[1], dtype=np.float32)
        return np.asarray(persons + _newton(slope, bend, _LONGEST), dtype=np.float32)

    def _chances(self, persons: Scores) -> Scores:
        items, appeal = self._fitted()
        pull = persons @ items.T + appeal
        pull -= pull.max(axis=1, keepdims=True)
        np.exp(pull, out=pull)
        return np.asarray(pull / pull.sum(axis=1, keepdims=True), dtype=np.float32)

    def score(self, histories: sparse.csr_matrix) -> Scores:
        """The chance of each item to be the next one."""
        items, appeal = self._fitted()
        x = check_histories(histories, len(appeal))
        scores = np.empty(x.shape, dtype=np.float32)
        for start in range(0, x.shape[0], BLOCK):
            part = x[start : start + BLOCK]
            persons = np.zeros((part.shape[0], items.shape[1]), dtype=np.float32)
            for _ in range(_FOLDING):
                persons = self._moved(part, persons)
            scores[start : start + BLOCK] = self._chances(persons)
        return scores

    def _fitted(self) -> tuple[Scores, Scores]:
        if self.items_ is None or self.appeal_ is None:
            raise NotFitted("fit the multinomial model first")
        return self.items_, self.appeal_

    def state(self) -> State:
        """Item factors and appeals."""
        items, appeal = self._fitted()
        return {"items": items, "appeal": appeal}

    def from_state(self, state: State) -> Self:
        """Take over item factors and appeals."""
        self.items_, self.appeal_ = state["items"].astype(np.float32), state["appeal"].astype(np.float32)
        return self


def _first_guess(x: sparse.csr_matrix, seen: Scores, factors: int) -> Scores:
    """Item factors from the singular vectors after the first, which only tells popularity; their spread is ``_SPREAD``."""
    wanted = min(factors, min(x.shape) - 2)
    if wanted < 1 or x.nnz == 0:
        return np.zeros((x.shape[1], 0), dtype=np.float32)
    draws = np.asarray(x.sum(axis=1), dtype=np.float64).ravel()
    normal = sparse.diags(draws**-0.5) @ x @ sparse.diags(seen.astype(np.float64) ** -0.5)
    _, sizes, right = svds(normal.astype(np.float64), k=wanted + 1, v0=np.ones(min(x.shape)))
    guess = right[np.argsort(-sizes)[1:]].T / np.sqrt(seen / seen.mean())[:, None]
    return np.asarray(guess * (_SPREAD / max(float(guess.std()), 1e-12)), dtype=np.float32)


def _outer(factors: Scores) -> Scores:
    """v vᵀ of each row, shape (rows, factors²)."""
    return (factors[:, :, None] * factors[:, None, :]).reshape(len(factors), -1)


def _newton(slope: Scores, bend: Scores, longest: float) -> Scores:
    """bend⁻¹ · slope of each row, no longer than ``longest``."""
    step = np.linalg.solve(bend, slope[:, :, None])[:, :, 0]
    length = np.linalg.norm(step, axis=1, keepdims=True)
    return np.asarray(step * np.minimum(1, longest / np.maximum(length, 1e-9)), dtype=np.float32)
