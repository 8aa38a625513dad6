"""Grow the ranker's trees with CatBoost; nothing of CatBoost is needed afterwards."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from models.algorithms.recommender import Scores
from models.algorithms.symmetric_trees import SymmetricTrees
from models.data.sequences import Numbers, places_in_rows


@dataclass(frozen=True)
class Examples:
    """Candidates ordered by group (one list asked for): columns, the label (relevance, 0 for none), and whether it is
    a hit: bought or clicked.
    """

    group: Numbers
    values: Scores
    label: npt.NDArray[np.float32]
    is_hit: npt.NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.group)

    def with_a_hit(self) -> Examples:
        """Without groups whose labels are all equal: they hold no order to learn."""
        _, place = np.unique(self.group, return_inverse=True)
        lowest, highest = np.full(place.max(initial=-1) + 1, np.inf), np.full(place.max(initial=-1) + 1, -np.inf)
        np.minimum.at(lowest, place, self.label)
        np.maximum.at(highest, place, self.label)
        return self.where((highest > lowest)[place])

    def where(self, kept: npt.NDArray[np.bool_]) -> Examples:
        """The candidates of the mask."""
        return Examples(self.group[kept], self.values[kept], self.label[kept], self.is_hit[kept])

    def thinned(self, most: int, seed: int) -> Examples:
        """With at most ``most`` candidates of label 0 in each group, drawn at random."""
        order = np.lexsort((np.random.default_rng(seed).random(len(self)), self.label > 0, self.group))
        counts = np.unique(self.group, return_counts=True)[1]
        place = places_in_rows(counts)
        kept = np.empty(len(self), dtype=np.bool_)
        kept[order] = place < most
        return self.where(kept | (self.label > 0))


def join_examples(parts: list[Examples]) -> Examples:
    """Several tables as one; groups of different parts stay apart."""
    offset, groups = 0, []
    for part in parts:
        groups.append(part.group + offset)
        offset += int(part.group.max(initial=-1)) + 1
    columns = (np.concatenate([getattr(part, name) for part in parts]) for name in ("values", "label", "is_hit"))
    return Examples(np.concatenate(groups), *columns)


class NoRankingExamples(ValueError):
    """No group has candidates with different labels."""


@dataclass(frozen=True)
class Growth:
    """Parameters of the trees; ``misses`` is the most candidates of label 0 of a list.

    ``forests`` of ``trees`` each are grown from seeds that follow ``seed``, each with misses of its own draw, and their mean is
    the score.

    ``loss`` is a ranking loss of CatBoost, or Logloss for ``grow_for_chances``. QueryRMSE is the squared error after the mean
    error of each list is taken out, so that only differences within a list are learnt (docs/adr/0009).
    """

    trees: int = 150
    depth: int = 4
    learning_rate: float = 0.06
    ridge: float = 5.0
    loss: str = "QueryRMSE"
    misses: int = 20
    forests: int = 1
    seed: int = 7
    threads: int = 2


def grow(
    examples: Examples, names: tuple[str, ...], growth: Growth, start: Callable[[Scores], Scores] | None = None
) -> tuple[SymmetricTrees, dict[str, float]]:
    """Trees, and the importance of each column: the share of the change in scores that is its doing, in percent.

    With ``start``, a score of columns, the trees learn what is to be added to it. Same examples and seed, same trees. Raises
    NoRankingExamples.
    """
    forests, weights = [], np.zeros(len(names))
    for seed in range(growth.seed, growth.seed + growth.forests):
        model = train_catboost(draw_examples(examples, growth, seed), replace(growth, seed=seed), start)
        forests.append(export_trees(model, len(names)))
        weights += model.get_feature_importance(type="PredictionValuesChange") / growth.forests
    order = np.argsort(-weights, kind="stable")
    importances = {names[column]: round(float(weights[column]), 4) for column in order}
    return SymmetricTrees.summed(forests, [1 / growth.forests] * growth.forests), importances


def draw_examples(examples: Examples, growth: Growth, seed: int) -> Examples:
    """The examples of one forest: groups with different labels, thinned to ``growth.misses``. Raises NoRankingExamples."""
    drawn = examples.thinned(growth.misses, seed).with_a_hit()
    if len(drawn) == 0:
        raise NoRankingExamples("no list holds both a hit and a miss; wait for purchases or clicks")
    return drawn


def grow_for_chances(
    values: Scores, is_hit: npt.NDArray[np.bool_], weight: npt.NDArray[np.floating], growth: Growth
) -> SymmetricTrees:
    """Trees whose score is the log-odds of a hit: of single candidates, each with a weight, and not of lists.

    ``growth.loss`` is Logloss. A candidate that stands in for others that were not drawn has their weight.
    """
    from catboost import Pool

    return export_trees(_fitted(Pool(values, label=is_hit.astype(np.float32), weight=weight), growth), values.shape[1])


def train_catboost(examples: Examples, growth: Growth, start: Callable[[Scores], Scores] | None = None) -> Any:
    """The fitted CatBoost model itself; its predictions come on top of ``start``."""
    from catboost import Pool  # takes a second to import, and serving never needs it

    baseline = None if start is None else start(examples.values)
    return _fitted(Pool(examples.values, label=examples.label, group_id=examples.group, baseline=baseline), growth)


def _fitted(pool: Any, growth: Growth) -> Any:
    from catboost import CatBoost

    model = CatBoost(
        {
            "loss_function": growth.loss,
            "iterations": growth.trees,
            "depth": growth.depth,
            "learning_rate": growth.learning_rate,
            "l2_leaf_reg": growth.ridge,
            "random_seed": growth.seed,
            "thread_count": growth.threads,
            "boosting_type": "Plain",
            "border_count": 128,
            "allow_writing_files": False,
            "verbose": False,
        }
    )
    return model.fit(pool)


def export_trees(model: Any, features: int) -> SymmetricTrees:
    """The trees of a fitted CatBoost model over ``features`` columns."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "trees.json"
        model.save_model(str(file), format="json")
        return SymmetricTrees.from_catboost(json.loads(file.read_text(encoding="utf-8")), features)
