"""Memory of serving's workers together: ``jishi bench memory --items 1000000 --persons 1000000``.

Writes a made release (item-kNN with 50 neighbours, ALS of 48 factors, a list of 50 for every person) as ``models`` writes one,
then lets each worker, a process of its own, load and verify it, join it with a catalogue of as many items, and answer. Counted
is the proportional set size: a page that two processes share counts half in each.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import psutil
from rich.console import Console
from scipy import sparse

from models.algorithms.als import ALS
from models.algorithms.item_knn import ItemKNN
from models.algorithms.recommender import State
from models.candidates.person_lists import PersonLists
from models.candidates.recipes import RECIPES, Recipe
from models.release.artefact import save
from models.release.serving_index import RELEASE_FORMAT, Release
from serving.canary import Canary
from serving.catalogue import Item, Version
from serving.recommend import recommend
from serving.request import Request
from serving.shop_state import ShopState

SHOP, NEIGHBOURS, FACTORS, LENGTH, KINDS = "made", 50, 48, 50, 500


def write_made_release(folder: Path, items: int, persons: int, seed: int = 7) -> None:
    """A release of so many items and persons, with item-kNN on the item's page and lists at home."""
    rng = np.random.default_rng(seed)
    knn, als = ItemKNN(), ALS()
    columns = np.sort(rng.integers(0, items, (items, NEIGHBOURS), dtype=np.int32), axis=1)
    similarity = rng.random(columns.size, dtype=np.float32) + np.float32(0.01)
    matrix = sparse.csr_matrix((similarity, columns.ravel(), np.arange(0, columns.size + 1, NEIGHBOURS)), shape=(items, items))
    matrix.sum_duplicates()
    knn.similarity_ = matrix
    als.item_factors_, person_factors = (rng.standard_normal((n, FACTORS), dtype=np.float32) for n in (items, persons))
    listed = rng.integers(0, items, (persons, LENGTH))
    weights = np.tile(np.linspace(1, 0.1, LENGTH, dtype=np.float32), (persons, 1))
    states: dict[str, State] = {
        "popularity": {"sales": (1e6 / (1 + rng.permutation(items)) ** 0.8).astype(np.float32)},
        "item_knn": knn.state(),
        "als": als.state() | {"person_factors": person_factors},
        "lists_item_knn": PersonLists.of(listed, weights, "taste").state(),
    }
    ids = {"items": [f"i-{n}" for n in range(items)], "persons": [f"u:{n}" for n in range(persons)]}
    recipes = {"home": Recipe("item_knn", personal="item_knn"), "item": Recipe("item_knn", context="item_knn")}
    named = {
        placement: {
            "model": "item_knn" if placement in recipes else "ladder",
            "sentence": "made",
            "recipe": recipes[placement].as_json() if placement in recipes else None,
        }
        for placement in RECIPES
    }
    facts = {"shop_id": SHOP, "release_format": RELEASE_FORMAT, "placements": named, "beats_popularity": ["als"]}
    save(folder, states, ids, facts)


def work(folder: Path) -> None:
    """Be a worker: load, join, answer, say so, and wait to be told to end."""
    release = Release.read(folder, SHOP, "v1")
    state = ShopState(SHOP)
    state.use_snapshot({item.item_id: item for item in map(made_item, range(len(release.item_ids)))})
    state.use_release(release, 0.0, check=Canary(SHOP, release.person_ids))
    assert state.shelf is not None
    for number in range(200):
        page = f"i-{number}" if number % 2 else None
        request = Request(SHOP, "home" if page is None else "item", 10, (f"u:{number}",), page)
        assert len(recommend(request, state.shelf, state.catalogue, lambda *_: ()).items) == 10
    print("ready", flush=True)
    sys.stdin.readline()


def made_item(n: int) -> Item:
    """An item of the catalogue."""
    facts = (f"i-{n}", f"商品 {n}", f"Item {n}", f"c{n % KINDS}", 1000 + n % 900, "CNY", 5, "active")
    return Item(*facts, Version(n, n + 1, ""), brand=f"b{n % 97}")


def measure(items: int, persons: int, workers: int) -> list[float]:
    """Proportional set size of each worker in GiB, when all have answered."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "v1"
        write_made_release(folder, items, persons)
        command = [sys.executable, "-m", "bench.memory", "--work", str(folder)]
        processes = [
            subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(workers)
        ]
        try:
            for process in processes:
                assert process.stdout is not None
                if process.stdout.readline() != "ready\n":
                    raise RuntimeError("a worker ended before it was ready")
            return [psutil.Process(process.pid).memory_full_info().pss / 2**30 for process in processes]
        finally:
            for process in processes:
                process.kill()
                process.wait()


def main() -> int:
    """Print what each takes, and all together."""
    parser = argparse.ArgumentParser(prog="jishi bench memory", description=__doc__)
    parser.add_argument("--items", type=int, default=1_000_000)
    parser.add_argument("--persons", type=int, default=1_000_000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--work", type=Path, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.work is not None:
        work(chosen.work)
        return 0
    sizes = measure(chosen.items, chosen.persons, chosen.workers)
    each = ", ".join(f"{size:.2f}" for size in sizes)
    Console(width=120).print(f"{chosen.items} items, {chosen.persons} persons: {sum(sizes):.2f} GiB in all ({each})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
