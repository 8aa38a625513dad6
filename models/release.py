"""A published release: popularity, item neighbours and ALS of one shop over the same items, read-only and verified."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from models.als import ALS
from models.artefact import CorruptArtefact, load_ids, load_state, read_manifest
from models.item_knn import ItemKNN
from models.recommender import Items, Scores

__all__ = ["CorruptArtefact", "Release", "current_version"]


def current_version(models: Path, shop_id: str) -> str | None:
    """Name of the published release of a shop, or None."""
    pointer = models / shop_id / "CURRENT"
    return pointer.read_text().strip() or None if pointer.exists() else None


class Release:
    """What serving asks of models; items are numbered as in ``item_ids``."""

    def __init__(self, version: str, item_ids: list[str], person_ids: list[str], knn: ItemKNN, als: ALS, sales: Scores) -> None:
        self.version = version
        self.item_ids = item_ids
        self.popularity = sales
        self._knn = knn
        self._als = als
        self._person_factors: Scores | None = None
        self._number_of_person = {person_id: number for number, person_id in enumerate(person_ids)}

    @classmethod
    def load(cls, models: Path, shop_id: str, version: str) -> Release:
        """Read and verify a release. Raises CorruptArtefact naming the file and what is wrong with it."""
        folder = models / shop_id / "releases" / version
        manifest = read_manifest(folder)
        if manifest.get("shop_id") != shop_id:
            raise CorruptArtefact(f"{folder}: is of shop {manifest.get('shop_id')!r}, not of {shop_id!r}")
        item_ids, person_ids = load_ids(folder, manifest, "items"), load_ids(folder, manifest, "persons")
        sales_state = load_state(folder, manifest, "popularity")
        als_state = load_state(folder, manifest, "als")
        knn = ItemKNN().from_state(load_state(folder, manifest, "item_knn"))
        found = cls(version, item_ids, person_ids, knn, ALS().from_state(als_state), sales_state["sales"])
        found._person_factors = als_state["person_factors"]
        found._check(folder)
        return found

    def _check(self, folder: Path) -> None:
        items, persons = len(self.item_ids), len(self._number_of_person)
        sizes = {
            "popularity": len(self.popularity),
            "item_knn": self._knn.state()["items"][0],
            "als items": len(self._als.state()["item_factors"]),
        }
        for name, size in sizes.items():
            if size != items:
                raise CorruptArtefact(f"{folder}: {name} has {size} items, items.json has {items}")
        if self._person_factors is None or len(self._person_factors) != persons:
            raise CorruptArtefact(f"{folder}: als has factors of another number of persons than persons.json ({persons})")
        if items == 0 or not self.popularity.any():
            raise CorruptArtefact(f"{folder}: no item sells")

    def taste(self, person_id: str) -> Scores | None:
        """Long-term preference of a person for every item; None for a person whom the release does not know."""
        number = self._number_of_person.get(person_id)
        if number is None or self._person_factors is None:
            return None
        return np.asarray(self._als.state()["item_factors"] @ self._person_factors[number], dtype=np.float32)

    def neighbours(self, number: int) -> tuple[Items, Scores]:
        """Items near one item, and how near each is."""
        return self._knn.near(number)
