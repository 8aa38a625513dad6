"""A published release of one shop, read-only and verified: what the ladder needs (popularity, item neighbours, ALS), and a
section for each placement that names its model.

``release_format`` 1 had the ladder alone; such a release still loads, and every placement is answered by the ladder.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from models.algorithms.als import ALS
from models.algorithms.item_knn import ItemKNN
from models.algorithms.nearest_items import NearestItems
from models.algorithms.recommender import Items, Scores
from models.algorithms.sparse_sums import SparseSums, Sums
from models.candidates import newcomers, repurchase, usual_prices
from models.candidates.newcomers import Newcomers
from models.candidates.placement_model import PlacementModel
from models.candidates.recipes import RECIPES, Recipe
from models.candidates.repurchase import BoughtItems, bought_again
from models.candidates.stored_models import FACTS, load, ranker_file
from models.candidates.taste import Taste
from models.candidates.usual_prices import UsualPrices
from models.ranking.known_facts import KnownFacts
from models.ranking.live_ranker import LiveRanker
from models.ranking.request_ranker import RequestRanker
from models.release import taste_index
from models.release.artefact import MANIFEST, CorruptArtefact, load_ids, read_manifest
from models.release.ids import Ids
from models.release.release_files import ReleaseFiles

RELEASE_FORMAT = 2
SOURCES_BESIDE, MOST_BESIDE = ("new", "on_sale", "beside"), 200  # what may stand beside a model, and its largest quota


class Release:
    """What serving asks of models; items are numbered as in ``item_ids``."""

    def __init__(self, version: str, item_ids: Ids, person_ids: Ids, knn: ItemKNN, als: ALS, sales: Scores) -> None:
        self.version = version
        self.item_ids, self.person_ids = item_ids, person_ids
        self.popularity = sales
        self._knn = knn
        self._als = als
        self._item_factors = np.asarray(als.state()["item_factors"], dtype=np.float32)
        self._near = SparseSums(knn.similarities(), skips_itself=True)
        self._person_factors: Scores | None = None
        self._nearest: NearestItems | None = None
        self._number_of_person = person_ids.numbers
        self.newcomers: Newcomers | None = None
        self.is_bought_again = np.zeros(len(item_ids), dtype=np.bool_)
        self._purchases: BoughtItems | None = None
        self.usual_prices: UsualPrices | None = None
        self.quotas: dict[str, dict[str, int]] = {}  # by placement: how much other sources bring beside its model
        self.trained_to: datetime | None = None  # UTC, without a zone
        self._is_taste_proved = True
        self._placements: dict[str, PlacementModel] = {}
        self._rankers: dict[str, LiveRanker] = {}
        self.sold_placements: frozenset[str] = frozenset()  # those that what sells answers
        self.placement_notes: dict[str, str] = dict.fromkeys(RECIPES, "ladder: a release of format 1 names no model")

    @classmethod
    def load(cls, models: Path, shop_id: str, version: str) -> Release:
        """Read and verify a release. Raises CorruptArtefact naming the file and what is wrong with it."""
        return cls.read(models / shop_id / "releases" / version, shop_id, version)

    @classmethod
    def read(cls, folder: Path, shop_id: str, version: str) -> Release:
        """The same from a folder anywhere."""
        manifest = read_manifest(folder)
        if manifest.get("shop_id") != shop_id:
            raise CorruptArtefact(f"{folder / MANIFEST}: is of shop {manifest.get('shop_id')!r}, not of {shop_id!r}")
        files = ReleaseFiles(folder, manifest)
        item_ids, person_ids = load_ids(folder, manifest, "items"), load_ids(folder, manifest, "persons")
        with files.understood("popularity"):
            sales = files.state("popularity")["sales"].astype(np.float32, copy=False)
        with files.understood("item_knn"):
            knn = ItemKNN().from_state(files.state("item_knn"))
        with files.understood("als"):
            als_state = files.state("als")
            als, factors = ALS().from_state(als_state), als_state["person_factors"].astype(np.float32, copy=False)
        release = cls(version, item_ids, person_ids, knn, als, sales)
        release._person_factors = factors
        release.trained_to = _trained_to(folder, manifest)
        release._check(folder)
        release._nearest = taste_index.read(files, release._item_factors)
        release._load_placements(files)
        files.check_canaries({"items": item_ids.numbers, "persons": person_ids.numbers})
        return release

    def _check(self, folder: Path) -> None:
        items, persons = len(self.item_ids), len(self._number_of_person)
        factors = self._als.state()["item_factors"]
        sizes = {
            "popularity.npz": len(self.popularity),
            "item_knn.npz": self._knn.state()["items"][0],
            "als.npz": len(factors),
        }
        for name, size in sizes.items():
            if size != items:
                raise CorruptArtefact(f"{folder / name} has {size} items, the list of ids has {items}")
        if self._person_factors is None or len(self._person_factors) != persons:
            raise CorruptArtefact(
                f"{folder / 'als.npz'} has factors of another number of persons than the list of ids ({persons})"
            )
        if self._person_factors.shape[1:] != factors.shape[1:]:
            raise CorruptArtefact(f"{folder / 'als.npz'}: persons and items have different numbers of factors")
        if items == 0 or not self.popularity.any():
            raise CorruptArtefact(f"{folder / 'popularity.npz'}: no item sells")
        if items > 1 and factors.size and not np.ptp(factors, axis=0).any():
            raise CorruptArtefact(f"{folder / 'als.npz'}: every item has the same factors")

    def _load_placements(self, files: ReleaseFiles) -> None:
        manifest = files.manifest
        version = manifest.get("release_format", 1)
        if version == 1:
            return
        file = files.folder / MANIFEST
        if version != RELEASE_FORMAT:
            raise CorruptArtefact(f"{file}: release_format is {version!r}, this version reads 1 and {RELEASE_FORMAT}")
        self._is_taste_proved = "als" in manifest.get("beats_popularity", ())
        with files.understood(MANIFEST, "a placement"):
            named = manifest["placements"]
            self.sold_placements = frozenset(each for each in RECIPES if named[each]["model"] == "popularity")
            for placement in RECIPES:
                chosen = named[placement]
                self.placement_notes[placement] = f"{chosen['model']}: {chosen['sentence']}"
                if chosen["recipe"] is not None:
                    self._take(files, placement, Recipe.from_json(chosen["recipe"]))
                    self.quotas[placement] = checked_quotas(chosen.get("quotas", {}))
        if newcomers.FILES[0] in manifest["shapes"]:
            with files.understood(newcomers.FILES[0]):
                states = {file: files.state(file) for file in newcomers.FILES}
                self.newcomers = Newcomers.from_states(states, len(self._number_of_person), len(self.item_ids))
        self._load_purchases(files)
        if usual_prices.FILE in manifest["shapes"]:  # releases of before have none
            with files.understood(usual_prices.FILE):
                self.usual_prices = UsualPrices.from_state(files.state(usual_prices.FILE), len(self.item_ids))

    def _load_purchases(self, files: ReleaseFiles) -> None:
        """What releases of before do not have: then nothing is offered again, and nobody is known to have bought."""
        if repurchase.FILE in files.manifest["shapes"]:
            with files.understood(repurchase.FILE):
                chance = files.state(repurchase.FILE)["chance"].astype(np.float32)
                if len(chance) != len(self.item_ids):
                    raise ValueError(f"it is of {len(chance)} items, not of {len(self.item_ids)}")
                self.is_bought_again = bought_again(chance)
        if repurchase.PURCHASES in files.manifest["shapes"]:
            with files.understood(repurchase.PURCHASES):
                state = files.state(repurchase.PURCHASES)
                self._purchases = BoughtItems.from_state(state, len(self._number_of_person), len(self.item_ids))

    def _take(self, files: ReleaseFiles, placement: str, recipe: Recipe) -> None:
        """Load the model of a placement."""
        persons, items = self._number_of_person, len(self.item_ids)
        fitted = load([recipe], files.state, self._knn, len(persons))
        if recipe.ranker is None:
            self._placements[placement] = PlacementModel(recipe, fitted, persons)
            return
        with files.understood(FACTS):
            facts = KnownFacts.from_state(files.state(FACTS), len(persons), items)
        with files.understood(file := ranker_file(recipe.ranker)):
            ranker = RequestRanker.from_state(recipe.ranker, files.state(file))
        self._rankers[placement] = LiveRanker(ranker, fitted, facts, persons)

    def ladder_alone(self) -> Release:
        """The same release without the models of placements."""
        release = copy(self)
        release._placements, release._rankers, release.sold_placements, release.quotas = {}, {}, frozenset(), {}
        return release

    def placement(self, name: str) -> PlacementModel | None:
        """The model that the release names for a placement; None where the ladder answers, or a ranker."""
        return self._placements.get(name)

    def ranker(self, name: str) -> LiveRanker | None:
        """The ranker that the release names for a placement instead of a model."""
        return self._rankers.get(name)

    def newcomers_near(self, person_id: str) -> Items | None:
        """New items nearest to a person's taste, best first; None for a person of whom nothing is known."""
        number = self._number_of_person.get(person_id)
        if number is None or self.newcomers is None:
            return None
        items = self.newcomers.nearest.of_person(number).items
        return items if len(items) else None

    def purchases(self, person_id: str) -> Items:
        """Numbers of the items that a person bought, as far as the release learnt of it."""
        number = self._number_of_person.get(person_id)
        if number is None or self._purchases is None:
            return np.empty(0, dtype=np.int64)
        return self._purchases.of_person(number)

    def taste(self, person_id: str) -> Taste | None:
        """Long-term preference of a person; None for a person whom the release does not know, and for all where ALS does not
        beat popularity.
        """
        number = self._number_of_person.get(person_id)
        if number is None or self._person_factors is None or not self._is_taste_proved:
            return None
        return Taste(self._item_factors, self._person_factors[number], self._nearest)

    def similar(self, causes: Sequence[tuple[int, float]], most: int) -> Sums:
        """Items near some items (number, weight), themselves left out, with sums of weighted similarities."""
        return self._near.ask(causes, most)


def checked_quotas(stated: Any) -> dict[str, int]:
    """How much other sources bring, as a manifest says it. Raises ValueError."""
    is_whole = isinstance(stated, dict) and all(
        name in SOURCES_BESIDE and type(most) is int and 0 <= most <= MOST_BESIDE for name, most in stated.items()
    )
    if not is_whole:
        raise ValueError(f"quotas are of {', '.join(SOURCES_BESIDE)}, each from 0 to {MOST_BESIDE}")
    return dict(stated)


def _trained_to(folder: Path, manifest: dict[str, Any]) -> datetime | None:
    """The instant of the newest act that was learnt from; None of a release that does not say."""
    try:
        return datetime.fromisoformat(manifest["trained_on"]["to"]) if "trained_on" in manifest else None
    except (KeyError, TypeError, ValueError) as error:
        raise CorruptArtefact(f"{folder / MANIFEST}: trained_on has no instant 'to': {error}") from error
