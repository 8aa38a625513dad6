"""Chances from scores: a rising step function fitted on lists that the trees have not seen, and how far it can be trusted.

It does not serve: an answer shows an order and no chances.
"""

from __future__ import annotations

from typing import Self

import numpy as np
import numpy.typing as npt
from sklearn.isotonic import IsotonicRegression

from models.algorithms.recommender import NotFitted, State

Values = npt.NDArray[np.float64]


class Calibration:
    """Isotonic regression (Zadrozny & Elkan, KDD 2002): chance = the mean outcome of neighbours in score, never falling."""

    score_: Values | None = None
    chance_: Values | None = None

    def fit(self, scores: Values, hits: npt.NDArray[np.bool_]) -> Self:
        """Learn from scores and what came of them."""
        if len(scores) == 0:
            raise ValueError("there is nothing to calibrate on")
        isotonic = IsotonicRegression(out_of_bounds="clip").fit(scores.astype(np.float64), hits.astype(np.float64))
        self.score_ = np.asarray(isotonic.X_thresholds_, dtype=np.float64)
        self.chance_ = np.asarray(isotonic.y_thresholds_, dtype=np.float64)
        return self

    def chance(self, scores: npt.NDArray[np.floating]) -> Values:
        """Chances between 0 and 1, straight lines between the steps."""
        score, chance = self._fitted()
        return np.asarray(np.interp(scores, score, chance), dtype=np.float64)

    def _fitted(self) -> tuple[Values, Values]:
        if self.score_ is None or self.chance_ is None:
            raise NotFitted("fit the calibration first")
        return self.score_, self.chance_

    def state(self) -> State:
        """Scores and chances of the steps."""
        score, chance = self._fitted()
        return {"score": score, "chance": chance}

    def from_state(self, state: State) -> Self:
        """Take over steps."""
        self.score_, self.chance_ = state["score"].astype(np.float64), state["chance"].astype(np.float64)
        return self


def reliability(chances: Values, hits: npt.NDArray[np.bool_], bins: int = 10) -> list[dict[str, float]]:
    """Candidates in ``bins`` groups of equal size by chance: how many, the mean chance, the share of hits."""
    order = np.argsort(chances, kind="stable")
    return [
        {
            "candidates": len(part),
            "mean_chance": round(float(chances[part].mean()), 6),
            "share_of_hits": round(float(hits[part].mean()), 6),
        }
        for part in np.array_split(order, bins)
        if len(part)
    ]


def calibration_error(chances: Values, hits: npt.NDArray[np.bool_], bins: int = 10) -> float:
    """Expected calibration error: mean distance of chance and share of hits over the groups of ``reliability``.

    NaN without candidates, of which nothing is known.
    """
    table = reliability(chances, hits, bins)
    total = sum(row["candidates"] for row in table)
    distance = sum(row["candidates"] * abs(row["mean_chance"] - row["share_of_hits"]) for row in table)
    return distance / total if total else float("nan")
