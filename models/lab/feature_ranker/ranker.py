"""The ranker: sources, columns, trees and calibration together; fits on labelled situations and orders candidates.

It does not serve: no placement asks a ranker at the request, only lists made with the release.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any, Self

import numpy as np
from scipy import sparse

from models.algorithms.recommender import Items, NotFitted, Scores, State
from models.algorithms.symmetric_trees import SymmetricTrees
from models.candidates.pairs import Candidates, best_of_rows, look_up
from models.data.sequences import Numbers
from models.lab.feature_ranker.calibration import Calibration, calibration_error, reliability
from models.lab.feature_ranker.columns import NAMES, columns
from models.lab.feature_ranker.linear import LinearScore
from models.lab.feature_ranker.situation import Situation
from models.lab.feature_ranker.sources import Sources, candidates_of
from models.ranking.growth import Examples, Growth, draw_examples, grow, join_examples

BATCH = 256  # persons scored at a time
GROWTH = Growth(misses=10, forests=3)  # a single forest's NDCG@10 moves by .002 with its seed


@dataclass(frozen=True)
class LabelledSituation:
    """A past situation, the sources fitted as of then, and its labels.

    ``bought`` and ``relevance`` (``models.ranking.labels``): persons × items. ``shown`` and ``clicked``: logged impressions,
    which then are the candidates, and whether each was clicked.
    """

    situation: Situation
    sources: Sources
    bought: sparse.csr_matrix
    relevance: sparse.csr_matrix
    shown: Candidates | None = None
    clicked: Scores | None = None


class Ranker:
    """Orders the candidates of all sources by a linear score and boosted trees on top of it, both with a ranking loss.

    The latest situation is held out from the trees: it calibrates their scores and gives the reliability table.
    """

    def __init__(self, growth: Growth | None = None) -> None:
        self.growth = growth or GROWTH
        self.linear_: LinearScore | None = None
        self.trees_: SymmetricTrees | None = None
        self.calibration_: Calibration | None = None
        self.facts_: dict[str, Any] = {}

    def fit(self, labelled_situations: list[LabelledSituation]) -> Self:
        """Fit on all situations but the latest and calibrate on the latest.

        Raises NoRankingExamples, and ValueError for fewer than two situations.
        """
        if len(labelled_situations) < 2:
            raise ValueError("the ranker needs two labelled situations or more: the latest one calibrates")
        labelled_situations = sorted(labelled_situations, key=lambda each: each.situation.moment.as_of)
        taught = join_examples([examples_of(labelled) for labelled in labelled_situations[:-1]])
        self.linear_ = LinearScore().fit(draw_examples(taught, self.growth, self.growth.seed))
        self.trees_, importances = grow(taught, NAMES, self.growth, self.linear_.predict)
        held_out = examples_of(labelled_situations[-1])
        scores, hits = self.score(held_out.values), held_out.is_hit
        half = held_out.group % 2 == 0  # calibrated on one half of the persons, judged on the other
        self.calibration_ = Calibration().fit(scores[half], hits[half])
        chances = self.calibration_.chance(scores[~half])
        error = calibration_error(chances, hits[~half])
        self.facts_ = {
            "columns": list(NAMES),
            "growth": asdict(self.growth),
            "importances": importances,
            "lists": len(np.unique(taught.group)),
            "candidates": len(taught),
            "hits": int(taught.is_hit.sum()),
            "labels": "clicks" if labelled_situations[-1].shown is not None else "acts, hits are purchases",
            "calibration": {
                "method": "isotonic",
                "held_out_from": str(labelled_situations[-1].situation.moment.as_of),
                **({} if np.isnan(error) else {"expected_error": round(error, 6)}),  # nobody is left to judge by
                "reliability": reliability(chances, hits[~half]),
            },
        }
        return self

    def rank(self, situation: Situation, sources: Sources, k: int, allowed: np.ndarray) -> tuple[Items, Scores]:
        """The best ``k`` candidates of each person (−1 where there are fewer), and the chance of each to be bought."""
        lists = np.full((situation.moment.persons, k), -1, dtype=np.int64)
        chances = np.zeros(lists.shape, dtype=np.float32)
        calibration = self._fitted()[2]
        for start in range(0, situation.moment.persons, BATCH):
            part = situation.of(np.arange(start, min(start + BATCH, situation.moment.persons)))
            scores = sources.score(part.moment)
            candidates = candidates_of(scores, allowed)
            totals = self.score(columns(part, scores, candidates))
            best, place = best_of_rows(candidates, totals, k)
            at = (start + candidates.row[best], place)
            lists[at] = candidates.item[best]
            chances[at] = calibration.chance(totals[best])
        return lists, chances

    def score(self, values: Scores) -> Scores:
        """Scores of candidates by their ``columns``: the linear score and what the trees add. They order a list."""
        if self.linear_ is None or self.trees_ is None:
            raise NotFitted("fit the ranker first")
        return self.linear_.predict(values) + self.trees_.predict(values)

    def _fitted(self) -> tuple[LinearScore, SymmetricTrees, Calibration]:
        if self.linear_ is None or self.trees_ is None or self.calibration_ is None:
            raise NotFitted("fit the ranker first")
        return self.linear_, self.trees_, self.calibration_

    def states(self) -> dict[str, State]:
        """Arrays of linear score, trees and calibration by name, for one artefact."""
        linear, trees, calibration = self._fitted()
        return {"ranker_linear": linear.state(), "ranker_trees": trees.state(), "ranker_calibration": calibration.state()}

    def from_states(self, states: dict[str, State]) -> Self:
        """Take over linear score, trees and calibration."""
        self.linear_ = LinearScore().from_state(states["ranker_linear"])
        self.trees_ = SymmetricTrees().from_state(states["ranker_trees"])
        self.calibration_ = Calibration().from_state(states["ranker_calibration"])
        return self


def examples_of(labelled: LabelledSituation) -> Examples:
    """Candidates with columns, labels and hits, of every person who acted in the test interval (or was shown something)."""
    shown = labelled.shown
    is_asked = np.diff(labelled.relevance.indptr) > 0 if shown is None else np.bincount(shown.row, minlength=shown.rows) > 0
    persons = np.flatnonzero(is_asked)
    parts = [_part(labelled, persons[start : start + BATCH]) for start in range(0, len(persons), BATCH)]
    empty = np.empty(0, dtype=np.float32)
    nobody = Examples(np.empty(0, dtype=np.int64), np.empty((0, len(NAMES)), dtype=np.float32), empty, empty > 0)
    return join_examples([nobody, *parts])


def _part(labelled: LabelledSituation, rows: Numbers) -> Examples:
    here = labelled.situation.of(rows)
    scores, shown = labelled.sources.score(here.moment), labelled.shown
    if shown is None:
        candidates = candidates_of(scores, np.ones(here.moment.items, dtype=np.bool_))
        label = look_up(labelled.relevance[rows], candidates)[0]
        is_hit = look_up(labelled.bought[rows], candidates)[0] > 0
    else:
        assert labelled.clicked is not None
        kept = np.isin(shown.row, rows)
        candidates = replace(shown.where(kept), row=np.searchsorted(rows, shown.row[kept]), rows=len(rows))
        label, is_hit = labelled.clicked[kept], labelled.clicked[kept] > 0
    return Examples(candidates.row, columns(here, scores, candidates), label, is_hit)
