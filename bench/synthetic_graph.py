"""Time and memory of the closed-form families on a big sparse graph: ``python -m bench.synthetic_graph``.

30,000 users, 41,000 items and about 810,000 pairs, made with a seed: 60 tastes, item popularity falling like 1 / rank, a user's
number of items log-normal. One item of each user is the test; the numbers to read are seconds and memory, and that every family
beats popularity.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

from bench.protocol_run import evaluate, show


def make_graph(users: int, items: int, pairs: int, seed: int) -> pd.DataFrame:
    """Distinct pairs user_id, item_id in random order."""
    rng = np.random.default_rng(seed)
    tastes = 60
    appeal = 1 / (np.arange(items) + 20.0)
    taste_of = rng.integers(tastes, size=items)
    draws = []
    sizes = np.maximum(3, rng.lognormal(0, 0.9, users))
    sizes = np.maximum(3, sizes * (1.14 * pairs / sizes.sum())).astype(int)
    by_taste = [np.flatnonzero(taste_of == taste) for taste in range(tastes)]
    chance = [np.cumsum(appeal[each]) / appeal[each].sum() for each in by_taste]
    everywhere = np.cumsum(appeal) / appeal.sum()
    for user in range(users):
        liked = rng.integers(tastes, size=2)
        count = sizes[user]
        liked_draws = [by_taste[taste][np.searchsorted(chance[taste], rng.random(count * 2 // 5 + 1))] for taste in liked]
        draws.append(np.unique(np.concatenate([*liked_draws, np.searchsorted(everywhere, rng.random(count // 5 + 1))])))
    lengths = [len(draw) for draw in draws]
    graph = pd.DataFrame({"user_id": np.repeat(np.arange(users), lengths), "item_id": np.concatenate(draws)})
    return graph.sample(frac=1, random_state=seed).reset_index(drop=True)


def main() -> None:
    """Run each family once."""
    parser = argparse.ArgumentParser(prog="python -m bench.synthetic_graph", description="Closed-form families at scale")
    parser.add_argument("--users", type=int, default=30_000)
    parser.add_argument("--items", type=int, default=41_000)
    parser.add_argument("--pairs", type=int, default=840_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--models", nargs="+", default=["popularity", "ease", "gf_cf", "bspm", "chebycf"])
    chosen = parser.parse_args()
    graph = make_graph(chosen.users, chosen.items, chosen.pairs, chosen.seed)
    is_test = ~graph["user_id"].duplicated().to_numpy()
    with tempfile.TemporaryDirectory() as folder:
        files = Path(folder) / "train.parquet", Path(folder) / "test.parquet"
        graph[~is_test].to_parquet(files[0])
        graph[is_test].to_parquet(files[1])
        runs = [(model, evaluate("interactions", *files, model)) for model in chosen.models]
    title = f"{chosen.users:,} users, {graph['item_id'].nunique():,} items with a pair, {len(graph):,} pairs"
    show(title, runs, ["ndcg@10", "recall@20"], [])


if __name__ == "__main__":
    main()
