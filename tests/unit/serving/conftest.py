"""A small shop whose right answers are known by construction."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from scipy import sparse

from jishi.paths import Paths
from jishi.settings import Settings
from jishi.shops import Shop, Shops
from models.algorithms.exploration import Belief
from models.algorithms.sparse_sums import SparseSums, Sums
from models.candidates.taste import Taste
from models.candidates.usual_prices import UsualPrices
from models.release.registry import publish
from serving.api import make_app
from serving.blend import Indices, Vector
from serving.catalogue import Catalogue, Item, Version
from serving.engine import Engine
from serving.request import Request
from serving.shelf import Shelf, join_catalogue
from tests.releases import MARCH, item_ids, write_candidate


def make_item(item_id: str, category: str = "c", stock: int = 5, status: str = "active", at_ms: int = 1) -> Item:
    return Item(item_id, f"标题{item_id}", f"Title {item_id}", category, 1900, "CNY", stock, status, Version(at_ms, at_ms, ""))


@dataclass(frozen=True)
class TinyList:
    """A person's list in memory."""

    items: Indices
    weights: Vector
    origins: Sequence[str]
    because: Indices


@dataclass
class TinyPlaced:
    """A placement's model in memory: what follows the newest given item; lists are (item, weight, origin, cause)."""

    items: int
    follows: dict[int, dict[int, float]] = field(default_factory=dict)
    lists: dict[str, list[tuple[int, float, str, int]]] = field(default_factory=dict)
    name: str = "tiny"
    reason: str | None = "viewed_next"
    personal_share: float = 1.0
    asked: list[list[int]] = field(default_factory=list)

    def follow(self, given: Sequence[int]) -> Sums | None:
        self.asked.append(list(given))
        known = self.follows.get(given[-1], {}) if given else {}
        items, weights = np.array(list(known), dtype=np.int64), np.array(list(known.values()), dtype=np.float32)
        return Sums(items, weights, np.full(len(known), given[-1])) if known else None

    def personal(self, person_id: str) -> TinyList | None:
        known = self.lists.get(person_id)
        if known is None:
            return None
        items, weights, origins, because = zip(*known, strict=True)
        return TinyList(np.array(items), np.array(weights, dtype=np.float32), origins, np.array(because))


@dataclass(frozen=True)
class TinyNewcomers:
    """New items in memory, all believed alike, and those near a person."""

    items: Indices
    belief: Belief
    near: dict[str, Indices] = field(default_factory=dict)
    looked_at: np.ndarray | None = None
    known_to_ms: int = 0


@dataclass
class TinyModel:
    """A release in memory: neighbours and tastes as given, popularity falling with the number."""

    item_ids: Sequence[str]
    near: dict[int, dict[int, float]] = field(default_factory=dict)
    tastes: dict[str, dict[int, float]] = field(default_factory=dict)
    version: str = "v1"
    placed: dict[str, TinyPlaced] = field(default_factory=dict)
    placement_notes: dict[str, str] = field(default_factory=dict)
    rankers: dict[str, Any] = field(default_factory=dict)

    newcomers: TinyNewcomers | None = None
    usual_prices: UsualPrices | None = None
    quotas: dict[str, dict[str, int]] = field(default_factory=dict)
    bought_again: Sequence[int] = ()
    bought: dict[str, list[int]] = field(default_factory=dict)

    sold_placements: frozenset[str] = frozenset()

    @property
    def is_bought_again(self) -> np.ndarray:
        return np.isin(np.arange(len(self.item_ids)), self.bought_again)

    def purchases(self, person_id: str) -> Indices:
        return np.array(self.bought.get(person_id, []), dtype=np.int64)

    def newcomers_near(self, person_id: str) -> Indices | None:
        return None if self.newcomers is None else self.newcomers.near.get(person_id)

    def ranker(self, name: str) -> Any:
        return self.rankers.get(name)

    def placement(self, name: str) -> TinyPlaced | None:
        return self.placed.get(name)

    @property
    def popularity(self) -> Vector:
        return np.linspace(1.0, 0.1, max(1, len(self.item_ids)), dtype=np.float32)[: len(self.item_ids)]

    def taste(self, person_id: str) -> Taste | None:
        known = self.tastes.get(person_id)
        if known is None:
            return None
        scores = np.zeros((len(self.item_ids), 1), dtype=np.float32)
        for number, score in known.items():
            scores[number] = score
        return Taste(scores, np.ones(1, dtype=np.float32))

    def similar(self, causes: Sequence[tuple[int, float]], most: int) -> Sums:
        size = len(self.item_ids)
        entries = [(row, item, similarity) for row, each in self.near.items() for item, similarity in each.items()]
        rows, items, similarities = zip(*entries, strict=True) if entries else ((), (), ())
        matrix = sparse.csr_matrix((np.array(similarities, dtype=np.float32), (rows, items)), shape=(size, size))
        return SparseSums(matrix, skips_itself=True).ask(causes, most)


@dataclass
class TinyShop:
    """Model, catalogue and shelf of one shop."""

    model: TinyModel
    catalogue: Catalogue
    shelf: Shelf


def stock_up(model: TinyModel, items: Sequence[Item]) -> TinyShop:
    catalogue = Catalogue()
    for item in items:
        catalogue.put(item)
    return TinyShop(model, catalogue, join_catalogue(model, catalogue))


class Tiny:
    """What tests build shops from; a fixture, because test modules cannot import each other."""

    item = staticmethod(make_item)
    model = TinyModel
    placed = TinyPlaced
    newcomers = TinyNewcomers
    shop = staticmethod(stock_up)


@pytest.fixture(scope="session")
def tiny() -> type[Tiny]:
    return Tiny


@pytest.fixture
def shop() -> TinyShop:
    """30 items: 0-9 skirts, 10-19 tea, 20-29 lamps; item n is near n+1 within its category; u-skirts likes 3 and 4."""
    kinds = ["skirts"] * 10 + ["tea"] * 10 + ["lamps"] * 10
    ids = [f"i{n}" for n in range(30)]
    near = {n: {n + 1: 0.9, n + 2: 0.3} for n in range(30) if n % 10 < 8}
    model = TinyModel(ids, near, {"u-skirts": {3: 2.0, 4: 1.0, 13: -5.0}})
    return stock_up(model, [make_item(item_id, kind) for item_id, kind in zip(ids, kinds, strict=True)])


URL = "/v1/shops/a/recommendations"


@dataclass
class Api:
    """The application without its threads, with one shop ``a`` that has a release and one shop ``b`` that has none."""

    client: TestClient
    engine: Engine
    keys: dict[str, str]

    def get(self, url: str = URL, key: str | None = "a", **params: Any) -> Any:
        headers = {} if key is None else {"Authorization": f"Bearer {self.keys.get(key, key)}"}
        return self.client.get(url, params=params or None, headers=headers)

    def lists(self, count: int, **params: Any) -> list[dict[str, Any]]:
        """So many answers, each with its id."""
        answers = [self.get(**params) for _ in range(count)]
        return [answer.json() | {"request_id": answer.headers["X-Request-ID"]} for answer in answers]


@pytest.fixture
def api(tmp_path: Path, shop: Any) -> Iterator[Api]:
    settings = Settings(var=tmp_path, _env_file=None)  # type: ignore[call-arg]
    paths = Paths.of(settings)
    shops = Shops()
    keys = {}
    for shop_id in ("a", "b"):
        shops.add(Shop(shop_id=shop_id, name=shop_id))
        keys[shop_id] = shops.issue_key(shop_id, "read")
    shops.save(paths.shops_file)
    engine = Engine.of(settings, paths)
    engine.keys.reload()
    engine.stream.has_caught_up = True  # as after the first look at the log
    engine.states.of("a").use_snapshot(dict(shop.catalogue.items))
    shop.model.tastes["u:u-skirts"] = shop.model.tastes["u-skirts"]
    engine.states.of("a").use_release(shop.model, published_at=0.0)
    return Api(TestClient(make_app(engine)), engine, keys)


NOW = datetime(2026, 4, 1, tzinfo=UTC)


@dataclass
class Registry:
    """Two shops, each with a release in use, and serving's engine without its threads."""

    engine: Engine
    paths: Paths

    def publish(self, shop_id: str, candidate: str, days: int, seed: int = 1) -> Path:
        """Make and publish a candidate that knows acts of so many days after March began."""
        write_candidate(self.paths.models, shop_id, candidate, MARCH + timedelta(days=days), seed)
        version = publish(self.paths, shop_id, NOW + timedelta(minutes=days))
        assert version is not None
        return self.paths.models / shop_id / "releases" / version

    def look(self) -> None:
        """One round of the watcher, a minute after the last."""
        at = self.engine.watcher.now() + 60
        self.engine.watcher.now = lambda: at
        self.engine.watcher.look()

    def in_use(self, shop_id: str) -> str | None:
        return self.engine.states.find(shop_id).release.version

    def problem(self, shop_id: str) -> str | None:
        return self.engine.states.find(shop_id).release.problem

    def listed_by(self, shop_id: str) -> list[tuple[str, float]]:
        """The answer to a known person at home, with the release behind it."""
        answer = self.engine.answer(Request(shop_id, "home", 5, persons=("u:u1",)), "r1")
        assert answer.model_version == self.in_use(shop_id)
        return [(one.item.item_id, one.score) for one in answer.items]


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    settings = Settings(var=tmp_path, _env_file=None)  # type: ignore[call-arg]
    paths, shops = Paths.of(settings), Shops()
    for shop_id in ("a", "b"):
        shops.add(Shop(shop_id=shop_id, name=shop_id))
    shops.save(paths.shops_file)
    engine = Engine.of(settings, paths)
    engine.keys.reload()
    engine.stream.has_caught_up = True
    engine.watcher.clock = lambda: NOW
    two_shops = Registry(engine, paths)
    for shop_id in ("a", "b"):
        engine.states.of(shop_id).use_snapshot({each: make_item(each) for each in item_ids(shop_id)})
        two_shops.publish(shop_id, "first", 0)
    two_shops.look()
    assert [two_shops.in_use(shop_id) for shop_id in ("a", "b")] == ["first", "first"]
    return two_shops
