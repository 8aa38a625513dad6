"""What exploring new items costs and finds: ``python -m bench.explore``.

A placement of ten slots gets 100 new items of 12 categories; at most 5 % of any 1,000 slots explore. Click rates are made: a
category's rate times an item's own factor; 300 old items tell the categories' rates. Per policy, mean of several runs: clicks
of the exploring slots, against those of the best item; and how well IPS on the log values uniform exploration.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass

import numpy as np
from rich.console import Console
from rich.table import Table
from scipy import sparse

from models.algorithms.exploration import Belief, Budget, Explorer, prior_rates
from models.evaluation.off_policy import ips

SLOTS, SLOT, NEW, OLD, CATEGORIES, RANKED = 10, 4, 100, 300, 12, 0.05
EVERY = 500  # lists between two updates of the belief


@dataclass(frozen=True)
class NewItemWorld:
    """True click rates of new items, and what is expected of them from their categories and from nothing."""

    rates: np.ndarray
    by_category: np.ndarray
    flat: np.ndarray


@dataclass(frozen=True)
class Log:
    """Of each list: the new item shown or −1, its click, the propensity, and the chance that the slot explored."""

    item: np.ndarray
    click: np.ndarray
    propensity: np.ndarray
    explore: np.ndarray


def make_new_item_world(seed: int) -> NewItemWorld:
    """Click rates around 2 to 10 % by category, items of one category within a factor of two or so."""
    rng = np.random.default_rng(seed)
    of_category = rng.uniform(0.02, 0.10, CATEGORIES)
    old, new = rng.integers(CATEGORIES, size=OLD), rng.integers(CATEGORIES, size=NEW)
    rates = [np.minimum(of_category[kind] * rng.lognormal(0, 0.4, len(kind)), 0.5) for kind in (old, new)]
    shown = rng.integers(50, 2000, OLD).astype(float)
    clicks = rng.binomial(shown.astype(int), rates[0]).astype(float)
    one_hot = [sparse.csr_matrix(np.eye(CATEGORIES)[kind]) for kind in (old, new)]
    return NewItemWorld(rates[1], prior_rates(one_hot[0], clicks, shown, one_hot[1]), np.full(NEW, clicks.sum() / shown.sum()))


def play_policy(world: NewItemWorld, prior: np.ndarray, floor: float, lists: int, seed: int) -> Log:
    """Serve lists; ``floor`` 1 is uniform exploration."""
    rng = np.random.default_rng(seed)
    clicks, shown, rows = np.zeros(NEW), np.zeros(NEW), []
    explorer = Explorer(Budget(share=0.05, window=1000), slot=SLOT, rate=0.8, floor=floor)
    everything = np.ones(NEW, dtype=np.bool_)
    for number in range(lists):
        if number % EVERY == 0:
            explorer.update(Belief.of(prior, 30.0, clicks, shown))
        decision = explorer.decide(SLOTS, everything, rng)
        item = -1 if decision.item is None else decision.item
        click = rng.random() < (RANKED if item < 0 else world.rates[item])
        if item >= 0:
            shown[item] += 1
            clicks[item] += click
        rows.append((item, float(click), decision.propensity, decision.explore_probability))
    return Log(*(np.array(column) for column in zip(*rows, strict=True)))


def values_uniform(world: NewItemWorld, log: Log) -> tuple[bool, float]:
    """Whether the interval of IPS holds what uniform exploration would earn, and the estimate over the truth."""
    judged = np.where(log.explore > 0, 0.5, 0.0)
    estimate = ips(log.click, log.propensity, np.where(log.item >= 0, judged / NEW, 1 - judged))
    truth = float((judged * world.rates.mean() + (1 - judged) * RANKED).mean())
    return estimate.low < truth < estimate.high, estimate.mean / truth


def main() -> None:
    """Print one row a policy."""
    parser = argparse.ArgumentParser(prog="python -m bench.explore", description="Exploring new items within a budget")
    parser.add_argument("--lists", type=int, default=20_000)
    parser.add_argument("--runs", type=int, default=5)
    asked = parser.parse_args()
    worlds = [make_new_item_world(seed) for seed in range(asked.runs)]
    policies = {
        "uniform": [play_policy(world, world.flat, 1.0, asked.lists, seed) for seed, world in enumerate(worlds)],
        "Thompson, flat prior": [play_policy(world, world.flat, 0.1, asked.lists, seed) for seed, world in enumerate(worlds)],
        "Thompson, category prior": [
            play_policy(world, world.by_category, 0.1, asked.lists, seed) for seed, world in enumerate(worlds)
        ],
    }
    table = Table(
        title=f"{asked.lists:,} lists of {SLOTS} slots, {NEW} new items, mean of {asked.runs} runs", title_justify="left"
    )
    headings = (
        "policy",
        "slots that explored",
        "clicks a 1,000 explored",
        "last fifth",
        "of the best item's",
        "IPS of uniform / truth",
        "in interval",
    )
    for heading in headings:
        table.add_column(heading, justify="left" if heading == "policy" else "right")
    for name, logs in policies.items():
        explored = [log.item >= 0 for log in logs]
        share = np.mean([mask.mean() / SLOTS for mask in explored])
        rate = np.mean([log.click[mask].mean() for log, mask in zip(logs, explored, strict=True)])
        late = np.mean([log.click[mask][-int(mask.sum()) // 5 :].mean() for log, mask in zip(logs, explored, strict=True)])
        best = np.mean([world.rates.max() for world in worlds])
        judged = [values_uniform(world, log) for world, log in zip(worlds, logs, strict=True)]
        table.add_row(
            name,
            f"{share:.2%}",
            f"{1000 * rate:.1f}",
            f"{1000 * late:.1f}",
            f"{late / best:.0%}",
            f"{np.mean([ratio for _, ratio in judged]):.3f}",
            f"{sum(inside for inside, _ in judged)} of {len(judged)}",
        )
    Console(width=None if sys.stdout.isatty() else 150).print(table)


if __name__ == "__main__":
    main()
