"""``jishi bench model_choice``: how often ``--model auto`` picks what wins on the test, on graphs of four kinds.

Of each seed a graph is made by one process of four (tastes, popularity alone, items that call for a partner, latent factors);
a fifth of each user's items is the test. Every family, with the parameters that the choice gave it, is fitted and judged on it.
Where the best leads the second by three standard errors of the paired difference, it must lead the choice too; elsewhere the
choice must be within one standard error of the best.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from rich.console import Console
from rich.table import Table
from threadpoolctl import threadpool_limits

from models.algorithms.recommender import Recommender
from models.data.sequences import Numbers
from models.evaluation.metrics import Values, hits_of, measure
from models.lab.matrix_models import make
from models.protocols.interaction_choice import InteractionChoice, choose_matrix_model, standard_error
from models.protocols.interactions import InteractionTask, read_task
from models.protocols.ranking import rank_all

KINDS = ("tastes", "popularity", "partners", "latent")
K, TASTES, FACTORS = 20, 12, 6
CLEAR, CLOSE = 3.0, 1.0  # standard errors
LEAST_RIGHT = 0.95


@dataclass(frozen=True)
class Seed:
    """One graph: the best family on the test and its lead over the second, and what the choice was and got."""

    seed: int
    kind: str
    best: str
    lead: float  # in standard errors
    leader: str  # family with the largest weight of the choice
    parts: int
    gain: float  # of the choice over the best, in standard errors

    @property
    def is_right(self) -> bool:
        """Led by the clear winner, or about as good as the best of a close race."""
        return self.leader == self.best if self.lead >= CLEAR else self.gain >= -CLOSE


def make_graph(kind: str, users: int, items: int, seed: int) -> pd.DataFrame:
    """Distinct pairs user_id, item_id in random order."""
    rng = np.random.default_rng(seed)
    appeal = 1 / (np.arange(items) + 5.0)
    taste_of, partner = rng.integers(TASTES, size=items), rng.permutation(items)
    factors = rng.normal(size=(items, FACTORS))
    baskets = []
    for _ in range(users):
        size = int(np.clip(rng.lognormal(2.2, 0.6), 5, min(60, items // 2)))
        if kind == "partners":
            basket: set[int] = set()
            while len(basket) < size:
                item = int(rng.choice(items, p=appeal / appeal.sum()))
                basket.add(item)
                if rng.random() < 0.8:
                    basket.add(int(partner[item]))
            baskets.append(np.array(sorted(basket)))
            continue
        wish = np.log(appeal)
        if kind == "tastes":
            wish = wish + np.where(np.isin(taste_of, rng.choice(TASTES, size=2, replace=False)), 0, np.log(0.05))
        elif kind == "latent":
            wish = wish + factors @ rng.normal(size=FACTORS)
        baskets.append(np.argsort(-(wish + rng.gumbel(size=items)))[:size])  # draws without replacement (Gumbel's trick)
    pairs = pd.DataFrame(
        {"user_id": np.repeat(np.arange(users), [len(b) for b in baskets]), "item_id": np.concatenate(baskets)}
    )
    return pairs.sample(frac=1, random_state=seed).reset_index(drop=True)


def task_of(graph: pd.DataFrame) -> InteractionTask:
    """A fifth of each user's items is the test, one at least."""
    by_user = graph.groupby("user_id")
    quota = np.maximum(1, by_user["item_id"].transform("size") // 5)
    is_test = by_user.cumcount() < quota
    with tempfile.TemporaryDirectory() as folder:
        files = Path(folder) / "train.parquet", Path(folder) / "test.parquet"
        graph[~is_test].to_parquet(files[0])
        graph[is_test].to_parquet(files[1])
        return read_task(*files)


def judged(task: InteractionTask, model: Recommender) -> Values:
    """NDCG of each test user."""
    model.fit(task.train.matrix(), task.train.sales())
    lists: Numbers = rank_all(model.score, task.histories, K, task.histories)
    return measure(hits_of(lists, task.relevant), task.counts, [K])[f"ndcg@{K}"]


def tried(seed: int, users: int, items: int) -> Seed:
    """The choice on one graph beside all families."""
    kind = KINDS[seed % len(KINDS)]
    task = task_of(make_graph(kind, users, items, seed))
    choice = choose_matrix_model(task, K, seed, lambda _: None)
    values = {name: judged(task, make(name, parameters)) for name, parameters in best_parameters(choice).items()}
    best, second = sorted(values, key=lambda name: -values[name].mean())[:2]
    ahead, gain = values[best] - values[second], judged(task, choice.model) - values[best]
    leader = max(choice.weights, key=lambda name: choice.weights[name])
    return Seed(
        seed, kind, best, _in_errors(ahead), leader, len(choice.weights), 0.0 if np.ptp(gain) == 0 else _in_errors(gain)
    )


def best_parameters(choice: InteractionChoice) -> dict[str, dict[str, object]]:
    """Of each family that was tried, the parameters with the best validation."""
    best: dict[str, tuple[float, dict[str, object]]] = {}
    for trial in choice.trials:
        value = trial.get(f"ndcg@{K}", -1.0)
        if value > best.get(trial["model"], (-1.0, {}))[0]:
            best[trial["model"]] = (value, trial["parameters"])
    return {name: parameters for name, (_, parameters) in best.items()}


def _in_errors(difference: Values) -> float:
    return float(difference.mean() / max(standard_error(difference), 1e-12))


def main() -> int:
    """Try the seeds, print a row each; exit code 1 below ``LEAST_RIGHT``."""
    parser = argparse.ArgumentParser(prog="jishi bench model_choice", description=__doc__)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--first", type=int, default=0, help="first seed")
    parser.add_argument("--users", type=int, default=800)
    parser.add_argument("--items", type=int, default=150)
    asked = parser.parse_args()
    console = Console()
    table = Table("seed", "kind", "best on the test", "its lead", "chosen, first", "parts", "choice against the best", "")
    seeds = []
    with threadpool_limits(1):
        for number in range(asked.first, asked.first + asked.seeds):
            seed = tried(number, asked.users, asked.items)
            seeds.append(seed)
            row = (f"{seed.seed}", seed.kind, seed.best, f"{seed.lead:.1f}", seed.leader, f"{seed.parts}", f"{seed.gain:+.1f}")
            table.add_row(*row, "" if seed.is_right else "wrong")
            console.print(f"{len(seeds)} of {asked.seeds}: {seed.kind}, {'right' if seed.is_right else 'wrong'}", style="dim")
    console.print(table)
    clear = [seed for seed in seeds if seed.lead >= CLEAR]
    right = sum(seed.is_right for seed in seeds)
    console.print(
        f"right in {right} of {len(seeds)}; of {len(clear)} clear races {sum(seed.is_right for seed in clear)}; differences in "
        f"standard errors; load {os.getloadavg()[0]:.1f}"
    )
    return 0 if right >= LEAST_RIGHT * len(seeds) else 1


if __name__ == "__main__":
    raise SystemExit(main())
