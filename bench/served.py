"""What shoppers really get, and how fast: ``python -m bench.served --shop lanting --shop shanhai``.

Takes each shop's newest candidate after ``python -m models train``, ``evaluate``, ``python -m serving.judge`` and ``python -m
models gate``, and serves the cases of every placement as ``serving.judge`` does: with the requests and the last acts of any age
that a storefront and the online store give. NDCG@10 of the list that leaves stands beside that of the model alone, of the
ladder and of what sells, on the same cases. Times are of ``recommend`` alone, without HTTP and online store.

With ``--quota new=20`` (may repeat) home is served with these quotas beside those of every day, in turns: NDCG@10 of both,
their paired difference over persons, processor time a list.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import replace
from itertools import chain
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from jishi.lake.reading import LakeVersion, open_version
from jishi.paths import Paths
from jishi.settings import get_settings
from models.algorithms.item_knn import ItemKNN
from models.candidates.recipes import Recipe
from models.candidates.stored_models import load
from models.data.interactions import by_sales
from models.data.sequences import Numbers
from models.data.shop_zone import zone_of
from models.data.stored_features import StoredFeatures, ms_of
from models.evaluation.comparison import BASELINE, PairedModels
from models.evaluation.metrics import MAIN_METRIC, Values
from models.evaluation.placement_evaluation import lists_of_recipes, main_values, mean_of_each
from models.evaluation.placement_questions import Cases, cases_of
from models.release.artefact import load_ids, load_state, read_manifest
from models.release.candidate import candidate_folder, judged_by
from models.release.model_choice import LADDER
from models.release.served_judgement import list_of, read_served
from serving.candidates import Quotas
from serving.judge import MOST_CASES, window_release
from serving.past_catalogue import PastCatalogue
from serving.past_questions import ShelfAnswers, in_order, questions, served_ids, served_lists

_TURNS = "as it is", "with them"


def values_alone(folder: Path, recipe: Recipe, cases: Cases, fill: Numbers) -> Values:
    """The main metric of each case for the model by itself."""
    manifest = read_manifest(folder / "window")
    item_knn = ItemKNN().from_state(load_state(folder / "window", manifest, "item_knn"))
    persons = len(load_ids(folder / "window", manifest, "persons"))
    fitted = load([recipe], lambda name: load_state(folder / "window", manifest, name), item_knn, persons)
    return main_values(lists_of_recipes(fitted, [recipe], cases, fill)[recipe.name], cases)


def run(paths: Paths, lake: LakeVersion, shop_id: str, most: int, table: Table) -> None:
    """One row for each placement of a shop that has cases."""
    folder = candidate_folder(paths, shop_id)
    decision, report = (json.loads((folder / f"{name}.json").read_text()) for name in ("gate", "evaluation"))
    _, served = read_served(folder)
    acts, window = judged_by(lake, shop_id, folder, read_manifest(folder / "window"))
    past = PastCatalogue.read(lake, shop_id, window.cut)
    release = window_release(folder, shop_id, decision["placements"], report)
    shelf = past.shelf(release)
    zone, features = zone_of(paths, shop_id), StoredFeatures(lake, shop_id, ms_of(window.cut))
    every = {placement: cases_of(placement, acts, window, release.is_bought_again) for placement in served}
    asked = (questions(name, shop_id, cases.sampled(most), acts, zone, features) for name, cases in every.items())
    seconds: dict[str, list[float]] = {placement: [] for placement in served}
    for question in in_order(chain.from_iterable(asked)):
        past.move_to(question.moment.now_ms)
        started = time.perf_counter()
        served_ids(ShelfAnswers(shelf), past.catalogue, question)
        seconds[question.placement].append(time.perf_counter() - started)
    for placement, kept in served.items():
        chosen, cases_of_judge = decision["placements"][placement], every[placement].sampled(MOST_CASES)
        name, alone = chosen["model"], "–"
        if chosen["recipe"] is not None and Recipe.from_json(chosen["recipe"]).ranker is None:
            values = values_alone(folder, Recipe.from_json(chosen["recipe"]), cases_of_judge, by_sales(release.popularity))
            alone = f"{mean_of_each(values, cases_of_judge.person).mean():.4f}"
        means = [f"{kept.mean(each).mean:.4f}" for each in (list_of(chosen), LADDER, BASELINE)]
        p50, p99 = np.quantile(np.array(seconds[placement]) * 1000, [0.5, 0.99])
        counts = (str(len(kept.person)), str(kept.persons))
        table.add_row(shop_id, placement, name, means[0], alone, *means[1:], *counts, f"{p50:.2f}", f"{p99:.2f}")


def compare(paths: Paths, lake: LakeVersion, shop_id: str, quotas: Quotas, table: Table) -> None:
    """A row for the release and one for its ladder: home with other quotas against the same with those of every day."""
    folder = candidate_folder(paths, shop_id)
    decision, report = (json.loads((folder / f"{name}.json").read_text()) for name in ("gate", "evaluation"))
    acts, window = judged_by(lake, shop_id, folder, read_manifest(folder / "window"))
    past = PastCatalogue.read(lake, shop_id, window.cut)
    release = window_release(folder, shop_id, decision["placements"], report)
    cases = cases_of("home", acts, window, release.is_bought_again).sampled(MOST_CASES)
    zone, features = zone_of(paths, shop_id), StoredFeatures(lake, shop_id, ms_of(window.cut))
    for name, model in ((decision["placements"]["home"]["model"], release), (LADDER, release.ladder_alone())):
        shelf, spent, values = past.shelf(model), dict.fromkeys(_TURNS, 0.0), {}
        chosen = dict(zip(_TURNS, (Quotas(), quotas), strict=True))
        for turn in (*_TURNS, *_TURNS):
            asked = list(questions("home", shop_id, cases, acts, zone, features))
            served = {"home": {turn: ShelfAnswers(shelf, chosen[turn])}}
            started = time.process_time()
            lists = served_lists(past, asked, served, {"home": cases}, acts)["home"][turn]
            spent[turn] += time.process_time() - started
            values[turn] = {MAIN_METRIC: mean_of_each(main_values(lists, cases), cases.person)}
        paired = PairedModels(values)
        means = [f"{paired.mean(turn, MAIN_METRIC).mean:.4f}" for turn in _TURNS]
        more = paired.difference(_TURNS[1], _TURNS[0], MAIN_METRIC)
        times = [f"{each / 2 / len(cases) * 1e6:.0f}" for each in spent.values()]
        table.add_row(shop_id, name, *means, f"{more.mean:+.4f} [{more.low:.4f}, {more.high:.4f}]", *times)


def _quota(text: str) -> tuple[str, int]:
    name, _, number = text.partition("=")
    if name not in vars(Quotas()) or not number.isdigit():
        raise argparse.ArgumentTypeError(f"{text!r} is not one of {', '.join(vars(Quotas()))} and a number, as new=20")
    return name, int(number)


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m bench.served", description=__doc__)
    parser.add_argument("--shop", action="append", required=True, help="may repeat")
    parser.add_argument("--cases", type=int, default=400, help="most cases of a placement that are timed")
    parser.add_argument("--quota", action="append", default=[], type=_quota, help="a source's quota to try at home; may repeat")
    chosen = parser.parse_args()
    if chosen.quota:
        tried = Table(title=f"{MAIN_METRIC} of home, with other quotas: {dict(chosen.quota)}", title_justify="left")
        for heading in ("shop", "model", "as it is", "with them", "difference", "µs", "µs with them"):
            tried.add_column(heading)
        for shop_id in chosen.shop:
            quotas = replace(Quotas(), **dict(chosen.quota))
            compare(Paths.of(get_settings()), open_version(get_settings()), shop_id, quotas, tried)
        Console(width=150).print(tried)
        return 0
    table = Table(title=f"{MAIN_METRIC} of what is served, of the model alone, the ladder, what sells", title_justify="left")
    headings = ("shop", "placement", "model", "served", "alone", "ladder", "popularity", "cases", "persons", "p50 ms", "p99 ms")
    for heading in headings:
        table.add_column(heading)
    for shop_id in chosen.shop:
        run(Paths.of(get_settings()), open_version(get_settings()), shop_id, chosen.cases, table)
    Console(width=150).print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
