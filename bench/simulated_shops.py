"""``jishi bench simulated``: two rankers against each single source, and against an oracle, on shops whose truth is known.

The **ranker that serves** is the one of a release (``bench/simulated_served.py``): it learns from the week before the cut. The
**lab's ranker** (``models.lab.feature_ranker``) answers no request: it sees the whole feature store and six earlier weeks.

The oracle of tastes knows every shopper's taste, price sensitivity and eagerness as the simulator drew them; the full oracle
also knows the usual goods and the rhythm in which they run out (``bench/simulated_oracle.py``). Everybody ranks the items that
could be bought at the cut, for every customer with a history who bought in the seven days after a gap of one day; NDCG@10 with
binary gain. The lab's ranker learns with sources fitted on what was known before each week. Of the week before the cut it
sees nothing but its calibration; parameters were chosen by NDCG@10 in that week. Differences are paired bootstraps over
customers, over all shops together in the last row.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import numpy as np
from rich.console import Console
from rich.table import Table

from bench.simulated_data import ShopData, make_shop_data
from bench.simulated_oracle import expected_purchases, shopper_of
from bench.simulated_rivals import rival_lists
from bench.simulated_served import served_scores
from bench.simulated_situations import impressions_of, sellable_at, situation_at
from models.algorithms.recommender import Items, Scores, top_k
from models.data.snapshot import DAY
from models.data.split import SplitWindow, last_active_days
from models.evaluation.intervals import bootstrap_all, paired_difference
from models.evaluation.metrics import Values, hits_of, ndcg
from models.lab.feature_ranker.artefact import save_ranker
from models.lab.feature_ranker.labels import purchases_within, shown_within, teaches_more
from models.lab.feature_ranker.ranker import GROWTH, LabelledSituation, Ranker
from models.lab.feature_ranker.sources import Sources
from models.ranking.growth import Growth
from models.ranking.labels import relevance_within
from simulator.wandering import Process
from simulator.world import SimulationPlan, World, make_world

SHOPS = ("lanting", "shanhai", "xinghe")
WEEK, HALF_WEEK = np.timedelta64(7, "D"), np.timedelta64(84, "h")
HALF_WEEKS_BACK = (
    9,
    8,
    7,
    6,
    5,
    4,
    2,
)  # ends of the labelled weeks before the cut; none overlaps the last one, which evaluates
K = 10
GOAL = 0.9
SERVED, LAB = "ranker that serves", "lab's ranker"
LAST = np.float32(1e-6)  # weight of what sells best, behind every candidate of a ranker


@dataclass
class Result:
    """NDCG@10 of each customer by who made the list; seconds of each phase; what the lab's ranker says of itself."""

    shop_id: str
    values: dict[str, Values]
    facts: dict[str, Any]
    seconds: dict[str, float]


def labelled_situations(shop: ShopData, cut: np.datetime64) -> list[LabelledSituation]:
    """The weeks before the cut, each as it could have been learnt from."""
    acts, situations = shop.interactions, []
    shown = impressions_of(shop)
    for back in HALF_WEEKS_BACK:
        as_of = cut - back * HALF_WEEK - DAY
        window = SplitWindow(as_of, as_of + DAY, as_of + DAY + WEEK)
        here = situation_at(shop, as_of)
        outcome = purchases_within(acts, window), relevance_within(acts, window)
        seen = shown_within(shown, window, here.moment.persons, here.moment.items) if teaches_more(shown) else (None, None)
        situations.append(LabelledSituation(here, Sources().fit(here.moment), *outcome, *seen))
    return situations


def run(plan: SimulationPlan, growth: Growth, artefacts: Path | None = None, *, with_rivals: bool = False) -> Result:
    """One shop from its first day to the comparison; the lab's ranker and its card go below ``artefacts``."""
    began = time.monotonic()
    seconds: dict[str, float] = {}

    def lap(name: str) -> None:
        seconds[name] = round(time.monotonic() - began - sum(seconds.values()), 1)

    shop, world = make_shop_data(plan), make_world(plan)
    acts = shop.interactions
    window = last_active_days(acts.occurred_at[acts.kind == "pay"])
    lap("simulate")
    labelled = labelled_situations(shop, window.cut)
    lap("lessons")
    ranker = Ranker(growth).fit(labelled)
    lap("fit")
    here, allowed = situation_at(shop, window.cut), sellable_at(shop, window.cut)
    bought = purchases_within(acts, window)
    has_history = np.bincount(here.moment.acts.person, minlength=here.moment.persons) > 0
    persons = np.flatnonzero(has_history & (np.diff(bought.indptr) > 0))
    asked, sources = here.of(persons), Sources().fit(here.moment)
    if artefacts is not None:
        save_ranker(artefacts / plan.shop_id, plan.shop_id, ranker, sources, acts.item_ids.tolist())
    lists = {name: _best(scores, allowed) for name, scores in sources.score(asked.moment).items()}
    lists[LAB] = ranker.rank(asked, sources, K, allowed)[0]
    served, sales = served_scores(shop, window, persons), here.moment.acts.sales()
    if served is not None:
        lists[SERVED] = _best(served + LAST * sales / max(sales.max(), 1), allowed)
    for name, knows_usual in (("oracle of tastes", False), ("full oracle", True)):
        lists[name] = _best(_oracle(world, acts.person_ids[persons], window, knows_usual=knows_usual), allowed)
    lap("rank")
    if with_rivals:
        lists |= rival_lists(labelled, growth, asked, sources, allowed, K)
        lap("rivals")
    relevant = np.diff(bought[persons].indptr)
    values = {name: ndcg(hits_of(each, bought[persons]), relevant) for name, each in lists.items()}
    return Result(plan.shop_id, values, ranker.facts_, seconds)


def _best(scores: Scores, allowed: np.ndarray) -> Items:
    return top_k(np.where(allowed, scores, -np.inf).astype(np.float32), K)


def _oracle(world: World, person_ids: np.ndarray, window: SplitWindow, *, knows_usual: bool) -> Scores:
    number_of = shopper_of(world)
    shoppers = np.array([number_of[person] for person in person_ids.tolist()])
    first_ms = int(window.test_from.astype("datetime64[ms]").astype(np.int64))
    first_day = (first_ms - world.start_of_day_ms(0)) // 86_400_000
    return expected_purchases(world, shoppers, int(first_day), world.plan.days - int(first_day), knows_usual=knows_usual)


def summarise(result: Result) -> dict[str, Any]:
    """Means with intervals, and how each ranker stands to the best source and to the oracles."""
    values = result.values
    means = {name: float(each.mean()) for name, each in values.items()}
    sources = [name for name in Sources.names if name in values]
    best = max(sources, key=lambda name: means[name])
    rankers = [name for name in (SERVED, LAB) if name in values]
    over = {name: paired_difference(values[best], values[name]) for name in rankers}
    return {
        "customers": len(values[best]),
        "ndcg@10": {name: each.as_json() for name, each in bootstrap_all(values).items()},
        "best_source": best,
        "over_best_source": {
            name: {**each.difference.as_json(), "p_value": round(each.p_value, 5)} for name, each in over.items()
        },
        "share_of_gain": {
            name: {
                oracle: round((means[name] - means["popularity"]) / (means[oracle] - means["popularity"]), 4)
                for oracle in ("oracle of tastes", "full oracle")
            }
            for name in rankers
        },
    }


def show(console: Console, summaries: dict[str, Any]) -> None:
    """One column a shop; a shop that taught no ranker that serves has none."""
    table = Table(title="NDCG@10, 95 % interval", title_justify="left")
    for heading in ("", *summaries):
        table.add_column(heading, justify="left" if not heading else "right")
    names = dict.fromkeys(name for each in summaries.values() for name in each["ndcg@10"])
    for name in names:
        intervals = [each["ndcg@10"].get(name) for each in summaries.values()]
        cells = ["none" if i is None else f"{i['mean']:.4f} \\[{i['low']:.3f}, {i['high']:.3f}]" for i in intervals]
        table.add_row(name, *cells)
    table.add_section()
    table.add_row("best source", *(each["best_source"] for each in summaries.values()))
    for name in (SERVED, LAB):
        gains = [each["over_best_source"].get(name) for each in summaries.values()]
        cells = ["none" if g is None else f"{g['mean']:+.4f} \\[{g['low']:+.4f}, {g['high']:+.4f}]" for g in gains]
        table.add_row(f"{name}, over it", *cells)
    for name in (SERVED, LAB):
        for oracle in ("oracle of tastes", "full oracle"):
            shares = [each["share_of_gain"].get(name) for each in summaries.values()]
            cells = ["none" if share is None else f"{share[oracle]:.0%}" for share in shares]
            table.add_row(f"{name}, share of the gain of the {oracle}", *cells)
    table.add_row("customers", *(f"{each['customers']:,}" for each in summaries.values()))
    console.print(table)


def main() -> int:
    """Run the shops, print, and exit with 1 when a source beats a ranker in any of them."""
    parser = argparse.ArgumentParser(prog="jishi bench simulated", description=__doc__)
    parser.add_argument("--shops", nargs="+", default=list(SHOPS))
    parser.add_argument("--users", type=int, default=2500)
    parser.add_argument("--days", type=int, default=60)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument(
        "--process", choices=get_args(Process), default="steady", help="wandering: one that no ranker was made on"
    )
    parser.add_argument("--artefacts", type=Path, help="write each shop's lab ranker and its card below this folder")
    parser.add_argument("--rivals", action="store_true", help="also LightGBM (uv sync --group bench) and another loss")
    parser.add_argument(
        "--json", type=Path, help="write everything here, the lab ranker's importances and reliability included"
    )
    chosen = parser.parse_args()
    console = Console(width=None if sys.stdout.isatty() else 150)
    results = []
    for shop_id in chosen.shops:
        results.append(
            run(
                SimulationPlan(shop_id, chosen.users, chosen.days, chosen.seed, process=chosen.process),
                GROWTH,
                chosen.artefacts,
                with_rivals=chosen.rivals,
            )
        )
        seconds = ", ".join(f"{name} {value}" for name, value in results[-1].seconds.items())
        console.print(f"{shop_id}: {seconds} s", highlight=False)
    summaries = {result.shop_id: summarise(result) for result in results}
    if len(results) > 1:
        of_all = [name for name in results[0].values if all(name in each.values for each in results)]
        joined = {name: np.concatenate([each.values[name] for each in results]) for name in of_all}
        summaries["all"] = summarise(Result("all", joined, {}, {}))
    show(console, summaries)
    if chosen.json:
        facts = {result.shop_id: {"seconds": result.seconds, "ranker": result.facts} for result in results}
        machine = {"cpus": os.cpu_count(), "load_average": [round(value, 1) for value in os.getloadavg()]}
        chosen.json.write_text(
            json.dumps({"results": summaries, "shops": facts, "machine": machine}, indent=2, ensure_ascii=False)
        )
    console.print(
        f"floor: each ranker beats every source; goal: {GOAL:.0%} of the oracle's gain over popularity", highlight=False
    )
    is_best = all(over["mean"] > 0 for each in summaries.values() for over in each["over_best_source"].values())
    return 0 if is_best else 1


if __name__ == "__main__":
    sys.exit(main())
