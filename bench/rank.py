"""``jishi bench rank``: microseconds to score one list, our evaluator of symmetric trees beside LightGBM's own predict.

Both rankers learn the same made lists (100 candidates × 20 columns, graded by a known rule with noise) with the same number of
trees, and their NDCG@10 on held-out lists stands beside the time. One thread. The two take turns, list by list, so that what
else the machine does meets both. LightGBM is not part of the product: ``uv sync --group bench`` brings it.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from models.algorithms.recommender import Scores
from models.evaluation.metrics import ndcg
from models.ranking.growth import Examples, Growth, export_trees, train_catboost

CANDIDATES, COLUMNS = 100, 20
FLOOR, GOAL = 5.0, 20.0
Predict = Callable[[Scores], Any]


def lists(count: int, seed: int) -> Examples:
    """PersonLists whose hits follow three columns, a product and a step, and noise; about one in ten candidates is a hit."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((count * CANDIDATES, COLUMNS)).astype(np.float32)
    pull = x[:, 0] + 0.7 * x[:, 1] * x[:, 2] + 1.2 * (x[:, 3] > 0.5) - 0.5 * np.abs(x[:, 4]) + rng.standard_normal(len(x))
    return Examples(np.repeat(np.arange(count), CANDIDATES), x, (pull > 2.3).astype(np.float32), pull > 2.3)


def quality(predict: Predict, held_out: Examples) -> float:
    """NDCG@10 over the lists that have a hit."""
    scores = np.asarray(predict(held_out.values)).reshape(-1, CANDIDATES)
    label = held_out.label.reshape(-1, CANDIDATES) > 0
    best = np.argsort(-scores, axis=1, kind="stable")[:, :10]
    some = label.any(axis=1)
    return float(ndcg(np.take_along_axis(label, best, axis=1)[some], label.sum(axis=1)[some]).mean())


def measure(predicts: dict[str, Predict], asked: list[Scores]) -> dict[str, np.ndarray]:
    """Microseconds of each call, by name, turn by turn."""
    taken: dict[str, list[float]] = {name: [] for name in predicts}
    for x in asked:
        for name, predict in predicts.items():
            began = time.perf_counter()
            predict(x)
            taken[name].append((time.perf_counter() - began) * 1e6)
    return {name: np.array(values) for name, values in taken.items()}


def train_lightgbm(
    examples: Examples, trees: int, *, leaves: int = 31, least_leaf: int = 20, learning_rate: float = 0.08
) -> Any:
    """LambdaRank, a label gaining what it is."""
    import lightgbm

    model = lightgbm.LGBMRanker(
        n_estimators=trees,
        num_leaves=leaves,
        min_child_samples=least_leaf,
        learning_rate=learning_rate,
        label_gain=list(range(6)),
        n_jobs=2,
        random_state=7,
        verbose=-1,
    )
    counts = np.unique(examples.group, return_counts=True)[1]
    return model.fit(examples.values, examples.label.astype(np.int64), group=counts).booster_


def main() -> int:
    """Measure, print, and exit with 1 below the floor."""
    parser = argparse.ArgumentParser(prog="jishi bench rank", description=__doc__)
    parser.add_argument("--lists", type=int, default=2_000, help="lists to time")
    parser.add_argument("--trees", type=int, default=200)
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    if importlib.util.find_spec("lightgbm") is None:
        sys.exit("bench rank: LightGBM is not here; bring it with: uv sync --group main --group dev --group bench")
    learnt, held_out, asked = lists(150, 1).with_a_hit(), lists(200, 2), lists(chosen.lists, 3)
    catboost = train_catboost(learnt, Growth(trees=chosen.trees, depth=6, misses=CANDIDATES))
    trees, lightgbm = export_trees(catboost, COLUMNS), train_lightgbm(learnt, chosen.trees)
    predicts: dict[str, Predict] = {
        "ours": trees.predict,
        "lightgbm": lambda x: lightgbm.predict(x, num_threads=1),
        "catboost": lambda x: catboost.predict(x, thread_count=1),
    }
    rows = [asked.values[start : start + CANDIDATES] for start in range(0, len(asked), CANDIDATES)]
    measure(predicts, rows[:100])  # compiles, and warms caches
    taken = measure(predicts, rows)
    result: dict[str, Any] = {
        name: {
            "p50_us": round(float(np.median(us)), 1),
            "p99_us": round(float(np.quantile(us, 0.99)), 1),
            "ndcg@10": round(quality(predicts[name], held_out), 4),
        }
        for name, us in taken.items()
    }
    result["largest_difference_to_catboost"] = float(np.abs(trees.predict(rows[0]) - catboost.predict(rows[0])).max())
    result["ratio"] = round(result["lightgbm"]["p50_us"] / result["ours"]["p50_us"], 1)
    result["load_average"] = [round(value, 1) for value in os.getloadavg()]
    print(json.dumps(result) if chosen.json else "\n".join(f"{name:32} {value}" for name, value in result.items()))
    print(f"{chosen.trees} trees, {CANDIDATES} × {COLUMNS}: floor {FLOOR:g}x, goal {GOAL:g}x", file=sys.stderr)
    return 0 if result["ratio"] >= FLOOR else 1


if __name__ == "__main__":
    sys.exit(main())
