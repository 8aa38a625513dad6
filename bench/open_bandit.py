"""Off-policy estimates on real logs: ``python -m bench.open_bandit --wheel obp-0.4.1-py3-none-any.whl``.

The sample of the Open Bandit Dataset (Saito et al., NeurIPS 2021; CC BY 4.0) travels in the wheel of ``obp`` 0.4.1 (``pip
download --no-deps obp==0.4.1``), which is never installed. Two policies served the same fashion shop at random: uniform, and
Bernoulli Thompson sampling. Each is judged from its own log and from the other's; its own clicks are the truth, and should lie
in the interval. Thompson sampling's probability of an item at a position is taken as its share in its own log.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
from rich.console import Console
from rich.table import Table

from models.evaluation.intervals import Estimate, bootstrap_all
from models.evaluation.off_policy import diagnose, doubly_robust, ips, snips

SHA256 = "87dec9caf4283c25ab13036532e0a24566f1c7bdcad1653a8ded43b2f5ef8208"
CLIP = 100.0


def read_log(wheel: Path, policy: str) -> pd.DataFrame:
    """item_id, position (from 0), click and propensity_score. Raises ValueError when the wheel is not the pinned one."""
    if hashlib.sha256(wheel.read_bytes()).hexdigest() != SHA256:
        raise ValueError(f"{wheel} is not obp 0.4.1: its SHA-256 differs from the pinned one")
    with zipfile.ZipFile(wheel) as archive, archive.open(f"obp/dataset/obd/{policy}/all/all.csv") as file:
        log = pd.read_csv(file, usecols=["item_id", "position", "click", "propensity_score"])
    return log.assign(position=log["position"] - log["position"].min())


def probabilities(log: pd.DataFrame, items: int) -> np.ndarray:
    """Share of each item at each position, shape (positions, items)."""
    counts = np.zeros((int(log["position"].max()) + 1, items))
    np.add.at(counts, (log["position"], log["item_id"]), 1)
    return np.asarray(counts / counts.sum(axis=1, keepdims=True))


def main() -> None:
    """Judge both policies from both logs."""
    parser = argparse.ArgumentParser(prog="python -m bench.open_bandit", description="Off-policy estimates on real logs")
    parser.add_argument("--wheel", type=Path, required=True)
    chosen = parser.parse_args()
    logs = {name: read_log(chosen.wheel, name) for name in ("random", "bts")}
    items = 1 + max(int(log["item_id"].max()) for log in logs.values())
    chance = {"random": np.full((3, items), 1 / items), "bts": probabilities(logs["bts"], items)}
    table = Table(title="clicks a thousand impressions, with 95 % intervals", title_justify="left")
    for heading in ("judged", "log of", "own clicks", "IPS", "SNIPS", "DR", "effective decisions"):
        table.add_column(heading)
    for judged in ("random", "bts"):
        for source, log in logs.items():
            place = log["position"].to_numpy(), log["item_id"].to_numpy()
            reward = log["click"].to_numpy(dtype=float)
            target, logged = chance[judged][place], log["propensity_score"].to_numpy()
            target = logged if source == judged else target
            rate = np.bincount(place[1], weights=reward, minlength=items) + reward.mean() * 50
            rate = rate / (np.bincount(place[1], minlength=items) + 50)
            expected = (chance[judged] @ rate)[place[0]]
            estimates = (
                ips(reward, logged, target, CLIP),
                snips(reward, logged, target, CLIP),
                doubly_robust(reward, logged, target, rate[place[1]], expected, CLIP),
            )
            truth = bootstrap_all({"value": logs[judged]["click"].to_numpy(dtype=float)})["value"]
            facts = diagnose(logged, target, CLIP)
            sample = f"{facts.effective:,.0f} of {facts.decisions:,}"
            table.add_row(judged, source, _per_thousand(truth), *map(_per_thousand, estimates), sample)
    Console(width=None if sys.stdout.isatty() else 150).print(table)


def _per_thousand(estimate: Estimate) -> str:
    return f"{1000 * estimate.mean:.2f} ({1000 * estimate.low:.2f} to {1000 * estimate.high:.2f})"


if __name__ == "__main__":
    main()
