"""A made shop of any size with the models that serving uses, its visits, and processes that answer for it over HTTP."""

from __future__ import annotations

import gc
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import uvicorn
from fastapi import FastAPI, Query
from implicit.cpu.als import AlternatingLeastSquares
from scipy import sparse
from threadpoolctl import threadpool_limits

from bench.serve_ranker import made_rankers
from jishi.features.newest import KeptRow
from jishi.paths import Paths
from jishi.rules.complaints import rules_of
from jishi.settings import Settings
from jishi.shops import Shop, Shops
from models.algorithms.als import ALS
from models.algorithms.item_knn import ItemKNN
from models.algorithms.item_rules import ItemRules
from models.candidates.person_lists import PersonLists
from models.candidates.placement_model import PlacementModel
from models.candidates.recipes import Fitted, Recipe
from models.data.stored_features import PERSON_VIEWS, numbers_of
from models.release.ids import Ids
from models.release.serving_index import Release
from serving.api import make_app
from serving.catalogue import Item, Version
from serving.engine import Engine
from serving.list_protocol import server_config
from serving.recent import LastAct
from serving.request import Request
from serving.rules.shop_rules import ShopRules
from serving.workers import listen

SHOP, CATEGORIES, NEIGHBOURS, FACTORS, LENGTH = "made", 500, 20, 64, 50
MOST_ACTS = 20
RULES = [
    {"kind": "hide", "name": "hidden", "items": {"categories": ["c7"]}},
    {"kind": "boost", "name": "lifted", "items": {"brands": ["b1", "b2"]}, "factor": 1.3},
    {"kind": "bury", "name": "buried", "items": {"categories": ["c11"]}},
    {"kind": "pin", "name": "first", "item_id": "i-3", "slot": 2, "placements": ["home"]},
]


@dataclass(frozen=True)
class MadeShop:
    """Sales and category of each item, neighbours (items × items), factors; visits (persons, acts), filled up with −1."""

    sales: np.ndarray
    category: np.ndarray
    neighbours: sparse.csr_matrix
    item_factors: np.ndarray
    person_factors: np.ndarray
    visits: np.ndarray

    @classmethod
    def of(cls, items: int, persons: int, seed: int = 7) -> MadeShop:
        """Sales by a power law; neighbours and visits mostly within a category, a visit of 1 to 20 items in at most three."""
        rng = np.random.default_rng(seed)
        sales = rng.permutation(1e6 / (1 + np.arange(items)) ** 0.8).astype(np.float32)
        kinds = min(CATEGORIES, max(1, items // 20))
        category = (np.arange(items) % kinds).astype(np.int32)  # an item's category is its number modulo their count

        def within(kind: np.ndarray, count: int) -> np.ndarray:
            near = rng.integers(0, items // kinds, (len(kind), count)) * kinds + kind[:, None]
            anywhere = rng.integers(0, items, near.shape)
            return np.asarray(np.where(rng.random(near.shape) < 0.8, near, anywhere), dtype=np.int32)

        columns = np.sort(within(category, NEIGHBOURS), axis=1)
        similarity = rng.random(columns.size, dtype=np.float32) * 0.9 + 0.05
        starts = np.arange(0, columns.size + 1, NEIGHBOURS)
        neighbours = sparse.csr_matrix((similarity, columns.ravel(), starts), shape=(items, items))
        of_items, of_persons = (rng.standard_normal((count, FACTORS), dtype=np.float32) / 8 for count in (items, persons))
        visits = within(rng.integers(0, kinds, persons).astype(np.int32), MOST_ACTS).astype(np.int64)
        visits[np.arange(MOST_ACTS)[None, :] >= rng.integers(1, MOST_ACTS + 1, persons)[:, None]] = -1
        return cls(sales, category, neighbours, of_items, of_persons, visits)

    @property
    def size(self) -> int:
        """Items."""
        return len(self.sales)

    def items(self) -> dict[str, Item]:
        """The catalogue; one item of twenty is sold out."""
        return {
            f"i-{n}": Item(
                *(f"i-{n}", f"商品 {n}", f"Item {n}", f"c{kind}", 1000 + n % 900, "CNY", 5 * (n % 20 > 0), "active"),
                Version(1, 1, ""),
                brand=f"b{n % 97}",
                home_price_minor=1000 + n % 900,
            )
            for n, kind in enumerate(self.category.tolist())
        }

    def release(self, *, has_ranker: bool = True) -> Release:
        """A ranker for home and one for the item's page; without them item-kNN for the page, a list of every person at home."""
        persons = Ids.of(f"u:{n}" for n in range(len(self.person_factors)))
        items = Ids.of(f"i-{n}" for n in range(self.size))
        knn, als = ItemKNN(), ALS()
        knn.similarity_, als.item_factors_ = self.neighbours, self.item_factors
        release = Release("v1", items, persons, knn, als, self.sales)
        numbers = persons.numbers
        if has_ranker:
            similarities = ItemRules(2.0).use(self.neighbours)
            release._rankers.update(made_rankers(similarities, self.sales, self.category, self.visits, numbers))
            return release
        rng = np.random.default_rng(1)
        listed = rng.integers(0, self.size, (len(persons), LENGTH))
        weights = np.sort(rng.random((len(persons), LENGTH), dtype=np.float32), axis=1)[:, ::-1] + np.float32(0.01)
        fitted = Fitted(
            {"item_knn": ItemRules(2.0).use(self.neighbours)},
            {"personal_frequency": PersonLists.of(listed, weights, "bought_often")},
        )
        for placement, recipe in {
            "home": Recipe("personal_frequency", personal="personal_frequency"),
            "item": Recipe("item_knn", "item_knn"),
        }.items():
            release._placements[placement] = PlacementModel(recipe, fitted, numbers)
        return release


def make_engine(shop: MadeShop, var: Path, *, has_ranker: bool = True) -> tuple[Engine, str]:
    """An engine with the shop's release, catalogue and rules, and a read key. Last acts and features of persons come from
    memory: the online store is measured elsewhere (``jishi bench freshness``), and this engine follows no log.
    """
    settings = Settings(var=var, _env_file=None)
    paths, shops = Paths.of(settings), Shops()
    shops.add(Shop(shop_id=SHOP, name=SHOP))
    key = shops.issue_key(SHOP, "read")
    shops.save(paths.shops_file)
    engine = Engine.of(settings, paths)
    engine.keys.reload()
    engine.stream.has_caught_up = True
    state = engine.states.of(SHOP)
    state.use_snapshot(shop.items())
    state.use_release(shop.release(has_ranker=has_ranker), published_at=0.0)
    gc.freeze()  # as serving does after a switch
    state.rules.in_use = ShopRules(rules_of({"rules": RULES}), 1)
    rows = [[LastAct(f"i-{n}", 30.0 * (place + 1)) for place, n in enumerate(row) if n >= 0] for row in shop.visits.tolist()]

    def last_acts(shop_id: str, persons: Sequence[str]) -> list[LastAct]:
        return rows[int(persons[0][2:])] if persons else []

    engine.recent.last_acts = last_acts  # type: ignore[method-assign]
    table = engine.features.table
    table.is_following = lambda: True
    for view in PERSON_VIEWS:
        values: dict[str, float] = dict.fromkeys(numbers_of(view), 1.0)
        row = KeptRow(1_790_000_000_000_000, 0, values)
        for number in range(len(rows)):
            table.put(view, SHOP, f"u:{number}", row)
        table.put_stored(view, SHOP, {f"u:{number}": row for number in range(len(rows))}, float("inf"))
    return engine, key


def serve_app(engine: Engine, warm_up: Sequence[Request] = ()) -> FastAPI:
    """The application of the engine, whose decision log is written as always. It has answered ``warm_up`` and logged that: what
    was made before the processes parted is copied page by page when first touched, and the log keeps the whole catalogue once
    a release.
    """
    app = make_app(engine)
    for number, asked in enumerate(warm_up):
        engine.answer(asked, f"{number:032x}")
    engine.decisions.flush()
    threading.Thread(target=engine.decisions.run, args=(threading.Event(),), daemon=True).start()
    return app


def baseline_app(shop: MadeShop) -> FastAPI:
    """What one writes in an afternoon: FastAPI over ``implicit``: ``recommend`` for home, ``similar_items`` for a page.

    With one thread for linear algebra, as the library advises.
    """
    threadpool_limits(1)
    model = AlternatingLeastSquares(factors=FACTORS, num_threads=1)
    model.item_factors, model.user_factors = shop.item_factors, shop.person_factors
    items = shop.items()
    rows = sparse.csr_matrix((len(shop.person_factors), shop.size), dtype=np.float32)
    app = FastAPI()

    @app.get("/v1/shops/{shop_id}/recommendations")
    def recommendations(
        shop_id: str, user_id: str, placement: str = "home", item_id: str | None = None, limit: int = Query(20, ge=1, le=100)
    ) -> dict[str, Any]:
        if placement == "item" and item_id is not None:
            numbers, scores = model.similar_items(int(item_id[2:]), N=limit + 1)
        else:
            person = int(user_id)
            numbers, scores = model.recommend(person, rows[person], N=limit, filter_already_liked_items=False)
        listed = [items[f"i-{number}"] for number in numbers.tolist()]
        return {
            "shop_id": shop_id,
            "items": [
                {"item_id": item.item_id, "title": item.title, "unit_price_minor": item.unit_price_minor, "score": float(score)}
                for item, score in zip(listed, scores, strict=True)
            ],
        }

    return app


@contextmanager
def serving(make: Callable[[], FastAPI], workers: int) -> Iterator[tuple[int, list[int]]]:
    """The application in so many processes that share what was made before: their port and their process ids, when each has
    made its own. Raises RuntimeError where one does not within ten minutes.
    """
    listener, fork = listen("127.0.0.1", 0), get_context("fork")
    ready = fork.Semaphore(0)

    def run() -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        app = make()
        config = server_config if hasattr(app.state, "engine") else partial(uvicorn.Config, access_log=False)
        ready.release()
        uvicorn.Server(config(app, log_level="warning", lifespan="off")).run(sockets=[listener])

    processes = [fork.Process(target=run, daemon=True) for _ in range(workers)]
    for process in processes:
        process.start()
    try:
        if not all([ready.acquire(timeout=600) for _ in processes]):
            raise RuntimeError("a process has not made its application within ten minutes")
        yield listener.getsockname()[1], [process.pid for process in processes if process.pid is not None]
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.join(10)
        listener.close()


def questions_of(shop: MadeShop, count: int, seed: int = 3) -> list[Request]:
    """Half of them home, half the page of an item of the visit."""
    rng = np.random.default_rng(seed)
    persons = rng.integers(0, len(shop.visits), count).tolist()
    return [
        Request(SHOP, "home", 10, (f"u:{person}",))
        if number % 2
        else Request(SHOP, "item", 10, (f"u:{person}",), f"i-{shop.visits[person, 0]}")
        for number, person in enumerate(persons)
    ]


def paths_of(questions: Sequence[Request]) -> list[str]:
    """What a storefront asks for them."""
    at = f"/v1/shops/{SHOP}/recommendations?limit=10&user_id="
    return [
        f"{at}{asked.persons[0][2:]}" + ("" if asked.item_id is None else f"&placement=item&item_id={asked.item_id}")
        for asked in questions
    ]
