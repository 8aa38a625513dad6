"""What shoppers really get, and how fast: ``python -m bench.served --shop lanting --shop shanhai``.

Takes each shop's newest candidate (``python -m models train``, ``evaluate``, ``gate``) and serves its models of the training
window to the test cases of every placement through ``serving.recommend``, everything in stock. The list that leaves has other
sources mixed in and items kept back, so its NDCG@10 stands beside that of the model as judged, and of popularity, on the same
cases. Times are of ``recommend`` alone, without HTTP and online store.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from jishi.lake.reading import LakeVersion, open_version
from jishi.paths import Paths
from jishi.settings import get_settings
from models.interactions import Interactions, read_interactions
from models.pipeline import candidate_folder
from models.placements.judge import MAIN_METRIC, values_of
from models.placements.questions import QUESTIONS, Cases
from models.release import Release, write_release
from models.split import last_active_days
from serving.catalogue import Catalogue, read_snapshot
from serving.recent import LastAct
from serving.recommend import Placement, Request, recommend
from serving.shelf import Shelf, join_catalogue

LENGTH = 20


def requests(placement: Placement, shop_id: str, cases: Cases, acts: Interactions) -> Iterator[tuple[Request, list[LastAct]]]:
    """The request of each case, and the last acts that the online store would give, newest first: on a page those of the visit,
    a minute apart, at home those of a visit of the day before.
    """
    since_s = 0 if placement == "item" else 86_400
    for row, given in enumerate(cases.given):
        items = acts.item_ids[given].tolist()
        person = (str(acts.person_ids[cases.person[row]]),)
        page, cart = (items[-1] if placement == "item" else None), (tuple(items) if placement == "cart" else ())
        yield (
            Request(shop_id, placement, LENGTH, person, page, cart),
            []
            if placement in ("cart", "after_payment")
            else [LastAct(item_id, since_s + 60.0 * (place + 1)) for place, item_id in enumerate(items[::-1])],
        )


def serve(
    shelf: Shelf, catalogue: Catalogue, asked: Iterator[tuple[Request, list[LastAct]]], count: int
) -> tuple[np.ndarray, np.ndarray]:
    """Lists of item numbers (−1 for none), and seconds of each answer."""
    lists, seconds = np.full((count, LENGTH), -1, dtype=np.int64), np.zeros(count)
    for row, (request, recent) in enumerate(asked):
        started = time.perf_counter()
        answer = recommend(request, shelf, catalogue, lambda _shop, _persons, items=recent: items)  # type: ignore[misc]
        seconds[row] = time.perf_counter() - started
        lists[row, : len(answer.items)] = [shelf.number_of[one.item.item_id] for one in answer.items]
    return lists, seconds


def run(paths: Paths, lake: LakeVersion, shop_id: str, most: int, table: Table) -> None:
    """One row for each placement of a shop that has cases."""
    folder = candidate_folder(paths, shop_id)
    decision, report = (json.loads((folder / f"{name}.json").read_text()) for name in ("gate", "evaluation"))
    acts = read_interactions(lake, shop_id)
    window = last_active_days(acts.occurred_at[acts.kind == "pay"])
    catalogue = Catalogue()
    items = read_snapshot(lake)[shop_id]
    catalogue.put_snapshot({item_id: replace(item, stock=1, status="active") for item_id, item in items.items()})
    with tempfile.TemporaryDirectory() as scratch:
        write_release(folder / "window", Path(scratch) / shop_id / "releases" / "window", decision)
        shelf = join_catalogue(Release.load(Path(scratch), shop_id, "window"), catalogue)
    for placement, chosen in decision["placements"].items():
        cases = QUESTIONS[placement](acts, window).sampled(most)
        if len(cases) == 0:
            continue
        lists, seconds = serve(shelf, catalogue, requests(placement, shop_id, cases, acts), len(cases))
        judged: dict[str, Any] = report["placements"][placement]["models"]
        cells = [
            f"{judged[name]['metrics'][MAIN_METRIC]['mean']:.4f}" if name in judged else "–"
            for name in (chosen["model"], "popularity")
        ]
        p50, p99 = np.quantile(seconds * 1000, [0.5, 0.99])
        served = f"{values_of(lists, cases)[MAIN_METRIC].mean():.4f}"
        table.add_row(shop_id, placement, chosen["model"], served, *cells, str(len(cases)), f"{p50:.2f}", f"{p99:.2f}")


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m bench.served", description=__doc__)
    parser.add_argument("--shop", action="append", required=True, help="may repeat")
    parser.add_argument(
        "--cases", type=int, default=2000, help="most cases of a placement; above 2,000 they are not those judged"
    )
    chosen = parser.parse_args()
    table = Table(title=f"{MAIN_METRIC} of what is served, and of the model and popularity as judged", title_justify="left")
    for heading in ("shop", "placement", "model", "served", "judged", "popularity", "cases", "p50 ms", "p99 ms"):
        table.add_column(heading)
    for shop_id in chosen.shop:
        run(Paths.of(get_settings()), open_version(get_settings()), shop_id, chosen.cases, table)
    Console(width=140).print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
