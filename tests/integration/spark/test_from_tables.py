"""From acts to answers by way of Spark's tables: train --from-tables, evaluate, gate, publish, and serving with its reasons."""

from __future__ import annotations

from datetime import UTC
from itertools import product
from typing import Any

import numpy as np
import pytest
from pyspark.sql import SparkSession
from scipy import sparse

from jishi.factorisation import Parameters
from jishi.paths import Paths
from jishi.preference import WEIGHTS
from jishi.settings import Settings
from jishi.shops import Shops
from jishi.tables import ALS_ITEM_FACTORS, ALS_PERSON_FACTORS, SILVER_INTERACTIONS
from models.algorithms.als import ALS
from models.algorithms.item_knn import ItemKNN
from models.algorithms.ladder import make_models
from models.page.cards import read_cards
from models.release.artefact import load_ids, load_state, read_manifest
from models.release.candidate import candidate_folder
from models.release.candidate_evaluation import evaluate_candidate
from models.release.gate import gate
from models.release.registry import publish
from models.release.serving_index import Release
from models.training import from_tables
from serving.catalogue import Catalogue, read_snapshot
from serving.judge import judge_served
from serving.recommend import recommend
from serving.request import Request
from serving.shelf import Shelf, join_catalogue
from spark_jobs.recommendations.job import build_candidates, build_factors, build_neighbours
from tests.integration.spark.conftest import SilverPlatform
from tests.integration.spark.made_acts import cosine
from tests.integration.spark.made_shop import CUT, GROUPS, cut_short, made_shop, publish_shop
from tests.lake import newest

pytestmark = pytest.mark.integration
SMALL = Parameters(factors=4, iterations=3, blocks=1)


def build_tables(platform: SilverPlatform) -> None:
    """What the commands build that a candidate is made of."""
    session, settings = platform.session, platform.settings
    for before in (None, CUT.replace(tzinfo=UTC)):
        for within in ("order", "person"):
            build_neighbours(session, settings, "a", within, before)
        build_factors(session, settings, "a", SMALL, before)
        build_candidates(session, settings, "a", before)


@pytest.fixture(scope="module")
def platform(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> SilverPlatform:
    """A made shop with its tables."""
    settings = Settings(var=tmp_path_factory.mktemp("tables"), _env_file=None)  # type: ignore[call-arg]
    silver_platform = SilverPlatform(spark, settings, Shops())
    publish_shop(silver_platform, made_shop())
    build_tables(silver_platform)
    return silver_platform


@pytest.fixture
def paths(platform: SilverPlatform) -> Paths:
    """Where its candidates and releases are."""
    return Paths.of(platform.settings)


def histories(acts: list[dict[str, Any]]) -> dict[str, dict[str, float]]:
    """Strength of preference by person and item."""
    weights: dict[str, dict[str, float]] = {}
    for act in acts:
        mine = weights.setdefault(act["person_id"], {})
        mine[act["item_id"]] = mine.get(act["item_id"], 0.0) + WEIGHTS[act["kind"]]
    return {person: {item: float(np.log1p(weight)) for item, weight in mine.items()} for person, mine in weights.items()}


def test_arrays_score_by_the_formulas_of_the_tables(paths: Paths, platform: SilverPlatform) -> None:
    candidate = from_tables.train(paths, newest(paths.var), "a")
    tables_of_shop = made_shop()
    for part, tables in (("full", tables_of_shop), ("window", cut_short(tables_of_shop))):
        folder = paths.models / "a" / "candidates" / candidate / part
        manifest = read_manifest(folder)
        items, persons = (load_ids(folder, manifest, name) for name in ("items", "persons"))
        mine = histories(tables[SILVER_INTERACTIONS])
        assert set(mine) <= set(persons) == set(histories(tables_of_shop[SILVER_INTERACTIONS]))
        x = np.array([[mine.get(person, {}).get(item, 0.0) for item in items] for person in persons])
        similarity = np.eye(len(items))
        for (row, item), (column, other) in product(enumerate(items), repeat=2):
            similarity[row, column] = 1.0 if item == other else cosine(mine, item, other)
        models = make_models(manifest["models"])
        knn, als = (models[name].from_state(load_state(folder, manifest, name)) for name in ("item_knn", "als"))
        assert isinstance(knn, ItemKNN)
        assert np.allclose(knn.score(sparse.csr_matrix(x)), x @ similarity, rtol=1e-4, atol=1e-5)
        # What evaluate folds in from a history is what Spark learnt of the person, so the judge sees what serving answers from.
        assert isinstance(als, ALS)
        state = load_state(folder, manifest, "als")
        assert np.abs(state["person_factors"]).max() > 0.1
        assert np.allclose(als.fold_in(sparse.csr_matrix(x)), state["person_factors"], atol=1e-4)
        with pytest.raises(ValueError, match="learnt by Spark"):
            als.fit(sparse.csr_matrix(x), np.ones(len(items), dtype=np.float32))
    for schema, key, ids in ((ALS_ITEM_FACTORS, "item_factors", items), (ALS_PERSON_FACTORS, "person_factors", persons)):
        full = load_state(folder.parent / "full", read_manifest(folder.parent / "full"), "als")[key]
        by_id = {row[schema.key[1]]: row["factors"] for row in platform.rows(schema)}
        assert np.array_equal(full, np.array([by_id[each] for each in ids], dtype=np.float32))


def test_a_candidate_from_tables_is_judged_released_and_served_with_its_reasons(paths: Paths) -> None:
    candidate = from_tables.train(paths, newest(paths.var), "a")
    report = evaluate_candidate(paths, newest(paths.var), "a")
    assert report["candidate"] == candidate
    assert report["window"]["cut"] == CUT.isoformat()
    judge_served(paths, newest(paths.var), "a")
    decision = gate(paths, newest(paths.var), "a")
    assert decision["is_released"], decision["sentence"]
    chosen = {name: each["model"] for name, each in decision["placements"].items()}
    sentences = {name: each["sentence"] for name, each in decision["placements"].items()}
    assert {chosen["home"], chosen["after_payment"]} <= {"person_candidates", "person_candidates_and_own"}, sentences
    assert chosen["item"] == "item_knn", sentences
    assert chosen["cart"] in {"bought_together", "item_knn"}, sentences
    assert publish(paths, "a") == candidate

    cards = {card.placement: card for card in read_cards(paths.models, paths.history) if card.placement is not None}
    assert {placement: card.model for placement, card in cards.items()} == chosen
    shelf = shelf_of(paths, candidate)
    personal = {"bought_often", "bought_before", "seen_before"}
    reasons = {"bought_together": {"bought_together"}, "item_knn": {"similar_to_item"}}
    reasons |= {"person_candidates": {"like_yours"}, "person_candidates_and_own": {"like_yours", *personal}}
    asked = (  # the request, and the taste that it is about
        (Request("a", "home", 5, persons=("p05",)), 1),
        (Request("a", "item", 5, persons=("a stranger",), item_id="i02"), 2),
        (Request("a", "cart", 5, cart=("i03",)), 3),
        (Request("a", "after_payment", 5, persons=("p04",)), 0),
    )
    for request, taste in asked:
        answer = recommend(request, *shelf, lambda shop, persons: [])
        assert (answer.model, answer.model_version) == (chosen[request.placement], candidate)
        assert len(answer.items) == 5
        for each in answer.items:
            because = each.reason.because_item_id
            assert each.reason.code in reasons[answer.model]
            assert (because is None) == (each.reason.code in personal)
            assert because != each.item.item_id != "i08"  # withdrawn
            assert {int(item_id[1:]) % GROUPS for item_id in (each.item.item_id, because) if item_id is not None} == {taste}


def shelf_of(paths: Paths, version: str) -> tuple[Shelf, Catalogue]:
    """The release joined with the shop's catalogue, as serving holds it."""
    catalogue = Catalogue()
    catalogue.put_snapshot(read_snapshot(newest(paths.var), {})["a"])
    return join_catalogue(Release.load(paths.models, "a", version), catalogue), catalogue


def test_the_same_tables_give_the_same_bytes(paths: Paths) -> None:
    def files() -> dict[str, bytes]:
        folder = candidate_folder(paths, "a")
        return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}

    first = from_tables.train(paths, newest(paths.var), "a")
    written = files()
    names = {"popularity.npz", "item_knn.npz", "als.npz", "repurchase.npz", "context_bought_together.npz"}
    names |= {"lists_person_candidates.npz", "lists_person_candidates_and_own.npz"}
    names |= {"items.arrow", "persons.arrow", "manifest.json"}
    assert set(written) == {f"{part}/{name}" for part in ("window", "full") for name in names}
    assert from_tables.train(paths, newest(paths.var), "a") == first
    assert files() == written
