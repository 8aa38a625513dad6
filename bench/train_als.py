"""``jishi bench train-als``: seconds to fit one factorisation, ours, the library ``implicit`` as it comes, and Spark MLlib.

Same made pairs (``bench.synthetic_graph``), rank and iterations; two threads each, Spark on ``local[2]`` with its pairs cached
and its session started before the clock. NDCG@10 of one held-out item a user stands beside the time. Ours *is* implicit with
its BLAS threads held back, so a ratio within 5 % of 1 passes. Spark's regularisation is that of ``spark_jobs``, because it
means something else there.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from implicit.cpu.als import AlternatingLeastSquares
from scipy import sparse

from bench.synthetic_graph import make_graph
from jishi.factorisation import Parameters
from jishi.paths import Paths
from jishi.settings import get_settings
from models.algorithms.als import ALS
from models.algorithms.recommender import Scores, top_k
from models.evaluation.metrics import hits_of, ndcg
from spark_jobs.recommendations.als import factorise
from spark_jobs.session import open_session

FLOOR_IMPLICIT, FLOOR_SPARK = 1.0, 10.0
GOAL_IMPLICIT, GOAL_SPARK = 1.2, 20.0


def fit_ours(train: sparse.csr_matrix, factors: int, iterations: int) -> tuple[float, Scores]:
    """Seconds and scores of the training users."""
    model = ALS(factors=factors, iterations=iterations)
    began = time.perf_counter()
    model.fit(train, np.ones(train.shape[1], dtype=np.float32))
    seconds = time.perf_counter() - began
    return seconds, model.score(train)


def fit_implicit(train: sparse.csr_matrix, factors: int, iterations: int) -> tuple[float, Scores]:
    """The library with its own handling of threads, and our regularisation and confidence."""
    ours = ALS()
    model = AlternatingLeastSquares(
        factors=factors,
        iterations=iterations,
        regularization=ours.regularization,
        alpha=ours.alpha,
        num_threads=2,
        random_state=7,
    )
    began = time.perf_counter()
    model.fit(train, show_progress=False)
    return time.perf_counter() - began, np.asarray(model.user_factors @ model.item_factors.T, dtype=np.float32)


def fit_spark(train: sparse.csr_matrix, factors: int, iterations: int) -> tuple[float, Scores]:
    """The job of ``spark_jobs`` on cached preferences, from the call to collected factors."""
    settings = get_settings()
    with tempfile.TemporaryDirectory() as folder:
        session = open_session(
            settings.model_copy(update={"spark_master": "local[2]"}), Paths(var=Path(folder), envs=settings.envs), "bench"
        )
        pairs = train.tocoo()
        table = pd.DataFrame({"person_id": pairs.row, "item_id": pairs.col, "strength": pairs.data.astype(np.float64)})
        names = {name: table[name].map("{:08d}".format) for name in ("person_id", "item_id")}
        preferences = session.createDataFrame(table.assign(shop_id="bench", **names)).cache()
        preferences.count()
        began = time.perf_counter()
        fitted = factorise(preferences, Parameters(factors=factors, iterations=iterations))
        items, persons = fitted.items.collect(), fitted.persons.collect()
        seconds = time.perf_counter() - began
        session.stop()
    tables = [np.zeros((size, factors), dtype=np.float32) for size in train.shape]
    for target, rows, name in ((tables[0], persons, "person_id"), (tables[1], items, "item_id")):
        for row in rows:
            target[int(row[name])] = row["factors"]
    return seconds, tables[0] @ tables[1].T


def main() -> int:
    """Measure, print, and exit with 1 below a floor."""
    parser = argparse.ArgumentParser(prog="jishi bench train-als", description=__doc__)
    parser.add_argument("--users", type=int, default=10_000)
    parser.add_argument("--items", type=int, default=8_000)
    parser.add_argument("--pairs", type=int, default=270_000)
    parser.add_argument("--factors", type=int, default=64)
    parser.add_argument("--iterations", type=int, default=10)
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    graph = make_graph(chosen.users, chosen.items, chosen.pairs, 1)
    is_test = ~graph["user_id"].duplicated().to_numpy()
    shape = (chosen.users, chosen.items)
    train, test = (
        sparse.csr_matrix((np.ones(len(part), dtype=np.float32), (part["user_id"], part["item_id"])), shape=shape)
        for part in (graph[~is_test], graph[is_test])
    )
    relevant = np.maximum(1, np.diff(test.indptr))
    result: dict[str, Any] = {"pairs": int(train.nnz)}
    fits = {"ours": fit_ours, "implicit": fit_implicit, "spark": fit_spark}
    fit_ours(train[:1000], 8, 1)  # the first call starts threads
    for name, fit in fits.items():
        seconds, scores = fit(train, chosen.factors, chosen.iterations)
        quality = ndcg(hits_of(top_k(scores, 10, train), test), relevant).mean()
        result[name] = {"seconds": round(seconds, 2), "ndcg@10": round(float(quality), 4)}
    result["over_implicit"] = round(result["implicit"]["seconds"] / result["ours"]["seconds"], 2)
    result["over_spark"] = round(result["spark"]["seconds"] / result["ours"]["seconds"], 1)
    result["load_average"] = [round(value, 1) for value in os.getloadavg()]
    print(json.dumps(result) if chosen.json else "\n".join(f"{name:14} {value}" for name, value in result.items()))
    print(
        f"floor {FLOOR_IMPLICIT:g}x implicit and {FLOOR_SPARK:g}x Spark; goal {GOAL_IMPLICIT:g}x and {GOAL_SPARK:g}x",
        file=sys.stderr,
    )
    return 0 if result["over_implicit"] >= 0.95 * FLOOR_IMPLICIT and result["over_spark"] >= FLOOR_SPARK else 1


if __name__ == "__main__":
    sys.exit(main())
