"""The four steps on a small lake: train, evaluate, gate, publish; each may run again, and each says what is missing."""

from __future__ import annotations

import json
import random
import shutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jishi.paths import Paths
from jishi.shop_runs import ShopRuns
from jishi.shops import Shop, Shops
from jishi.tables import SILVER_INTERACTIONS, SILVER_ITEMS, TableSchema
from models.algorithms.item_text import ItemText
from models.data.interactions import NoInteractions
from models.data.split import TooShort
from models.page.cards import read_cards
from models.release.artefact import CorruptArtefact
from models.release.candidate import StepMissing
from models.release.candidate_evaluation import evaluate_candidate
from models.release.champion import find_champion
from models.release.gate import gate
from models.release.registry import current_version, publish
from models.release.serving_index import Release
from models.release.switches import ROLLED_BACK, Switch, write_switch
from models.steps import run_step
from models.training.newcomers import Facts
from models.training.train import _candidate_id, train
from serving.judge import judge_served
from tests.lake import newest, record
from tests.release_steps import RELEASE_STEPS

START = datetime(2026, 9, 1)  # noqa: DTZ001 (the lake keeps UTC instants without a zone)
GROUPS, ITEMS, DAYS = 4, 40, 24
Released = tuple[Paths, str, Path]


def publish_table(paths: Paths, schema: TableSchema, rows: list[dict[str, Any]]) -> None:
    record(paths.var, {schema: rows})


def acts(is_personal: bool = True, days: int = DAYS) -> list[dict[str, Any]]:
    """Eighty persons, each with one of four tastes of ten items, who keep to it (or, not personal, to nothing)."""
    luck, rows = random.Random(5), []
    for person in range(80):
        entries = [item for item in range(ITEMS) if not is_personal or item % GROUPS == person % GROUPS]
        for day in range(days):
            if luck.random() < 0.5:
                at = START + timedelta(days=day, seconds=luck.randrange(86_400))
                row = {"shop_id": "a", "person_id": f"p{person:02}", "item_id": f"i{luck.choice(entries):02}", "kind": "pay"}
                row |= {"event_id": f"e{len(rows)}", "line_number": 1, "quantity": 1}
                rows.append(row | {"occurred_at": at, "received_at": at + timedelta(seconds=1)})
    return rows


def content_of(folder: Path) -> dict[Path, bytes]:
    return {file.relative_to(folder): file.read_bytes() for file in folder.rglob("*.*")}


def made_in(folder: Path) -> Paths:
    created = Paths(var=folder / "var", envs=folder)
    publish_table(created, SILVER_ITEMS, [{"shop_id": "a", "item_id": f"i{item:02}"} for item in range(ITEMS)])
    publish_table(created, SILVER_INTERACTIONS, acts())
    return created


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return made_in(tmp_path)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which a release was published, for copies."""
    folder = tmp_path_factory.mktemp("built")
    paths = made_in(folder)
    for step in RELEASE_STEPS.values():
        step(paths, newest(paths.var), "a")
    return folder


@pytest.fixture
def released(built: Path, tmp_path: Path) -> Released:
    """Paths, version and folder of a published release."""
    shutil.copytree(built / "var", tmp_path / "var")
    paths = Paths(var=tmp_path / "var", envs=tmp_path)
    version = current_version(paths.models, "a")
    assert version is not None
    return paths, version, paths.models / "a" / "releases" / version


def test_from_interactions_to_a_release(paths: Paths) -> None:
    candidate = train(paths, newest(paths.var), "a")
    report = evaluate_candidate(paths, newest(paths.var), "a")
    assert (report["candidate"], report["items"], report["shop_id"]) == (candidate, ITEMS, "a")
    assert report["window"] == {"cut": "2026-09-17T00:00:00", "test_from": "2026-09-18T00:00:00", "end": "2026-09-25T00:00:00"}
    by_model = report["protocols"]["all_items"]["models"]
    for name in ("als", "item_knn"):
        assert by_model[name]["metrics"]["ndcg@10"]["over_popularity"]["low"] > 0.1
    assert "over_popularity" not in by_model["popularity"]["metrics"]["ndcg@10"]
    judge_served(paths, newest(paths.var), "a")
    decision = gate(paths, newest(paths.var), "a")
    assert (decision["is_released"], decision["beats_popularity"]) == (True, ["als", "item_knn"])
    assert publish(paths, "a") == candidate == current_version(paths.models, "a")
    release = Release.load(paths.models, "a", candidate)
    taste = release.taste("p05")
    assert taste is not None
    assert {int(item) % GROUPS for item in taste.best(5)} == {1}
    near = release.similar([(release.item_ids.index("i02"), 1.0)], 1000)
    assert {int(item) % GROUPS for item in near.items.tolist()} == {2}
    assert release.taste("a stranger") is None
    # Every step again gives the same.
    files = content_of(paths.models / "a" / "releases" / candidate)
    assert train(paths, newest(paths.var), "a") == candidate
    assert evaluate_candidate(paths, newest(paths.var), "a") == report
    judge_served(paths, newest(paths.var), "a")
    assert gate(paths, newest(paths.var), "a") == decision
    assert publish(paths, "a") == candidate
    assert content_of(paths.models / "a" / "releases" / candidate) == files


def test_shops_side_by_side_come_out_as_one_by_one(tmp_path: Path) -> None:
    def trained_in(name: str) -> Paths:
        paths = Paths(var=tmp_path / name, envs=tmp_path)
        rows = {SILVER_ITEMS: [{"item_id": f"i{item:02}"} for item in range(ITEMS)], SILVER_INTERACTIONS: acts()}
        record(
            paths.var,
            {
                schema: [row | {"shop_id": shop} for shop in ("a", "b") for row in table_rows]
                for schema, table_rows in rows.items()
            },
        )
        return paths

    together, alone = trained_in("together"), trained_in("alone")
    for step, call in RELEASE_STEPS.items():
        results: list[tuple[str, Any]] = []

        def keep(shop_id: str, value: Any, _: float, results: list[tuple[str, Any]] = results) -> None:
            results.append((shop_id, value))

        assert (
            run_step(
                together, newest(together.var), step, ["b", "a"], ShopRuns(together, step, None), step=call, report=keep
            ).exit_code
            == 0
        )
        assert results == [(shop_id, call(alone, newest(alone.var), shop_id)) for shop_id in ("b", "a")]
    for shop_id in ("a", "b"):
        version = current_version(together.models, shop_id)
        assert version is not None
        folders = [paths.models / shop_id / "releases" / version for paths in (together, alone)]
        one, other = map(content_of, folders)
        assert one == other


def looks(persons: int) -> list[dict[str, Any]]:
    """So many persons look at some items in a row each day, going round a circle of all items."""
    luck, rows = random.Random(6), []
    for person, day in product(range(persons), range(DAYS)):
        item, at = luck.randrange(ITEMS), START + timedelta(days=day, seconds=luck.randrange(80_000))
        for step in range(luck.randrange(2, 8)):
            when, item = at + timedelta(minutes=step), (item + luck.randrange(1, 3)) % ITEMS
            row = {"shop_id": "a", "person_id": f"p{person:02}", "item_id": f"i{item:02}", "kind": "view"}
            row |= {"event_id": f"v{len(rows)}", "line_number": 1, "quantity": 1}
            rows.append(row | {"occurred_at": when, "received_at": when + timedelta(seconds=1)})
    return rows


@pytest.mark.parametrize(("persons", "has_blend"), [(80, True), (3, False)])
def test_a_shop_with_enough_visits_has_a_blend_judged(paths: Paths, persons: int, has_blend: bool) -> None:
    publish_table(paths, SILVER_INTERACTIONS, [*acts(), *looks(persons)])
    folder = paths.models / "a" / "candidates" / train(paths, newest(paths.var), "a")
    for part in ("window", "full"):
        manifest = json.loads((folder / part / "manifest.json").read_text())
        assert ("session_blend" in manifest["placements"]["item"]) == has_blend
        assert (folder / part / "context_session_blend.npz").exists() == has_blend
    if has_blend:
        judged = evaluate_candidate(paths, newest(paths.var), "a")["placements"]["item"]["models"]
        assert judged["session_blend"]["metrics"]["ndcg@10"]["mean"] > 0.3  # of 40 items two may follow


def test_a_shop_without_tastes_is_refused_and_keeps_its_release(paths: Paths) -> None:
    publish_table(paths, SILVER_INTERACTIONS, acts(is_personal=False))
    (paths.models / "a").mkdir(parents=True)
    (paths.models / "a" / "CURRENT").write_text("the last good one\n")
    train(paths, newest(paths.var), "a")
    evaluate_candidate(paths, newest(paths.var), "a")
    judge_served(paths, newest(paths.var), "a")
    decision = gate(paths, newest(paths.var), "a")
    assert not decision["is_released"]
    assert decision["sentence"].startswith("refused: als ndcg@10")
    assert publish(paths, "a") is None
    assert current_version(paths.models, "a") == "the last good one"
    assert not (paths.models / "a" / "releases").exists()


def test_a_release_names_a_model_for_each_placement_or_says_why_not(released: Released) -> None:
    paths, candidate, folder = released
    manifest = json.loads((folder / "manifest.json").read_text())
    chosen = manifest["placements"]
    assert manifest["release_format"] == 2
    assert chosen["home"]["model"] in {"item_knn", "als", "personal_frequency", "tifu_knn", "buy_again"}
    assert "against popularity" in chosen["home"]["sentence"]
    assert chosen["item"] == {"model": "ladder", "recipe": None, "sentence": "the test days hold no case of its question"}
    assert chosen["cart"]["model"] == "ladder"  # one line an order: no cart to complete
    lists_files = {f"lists_{choice['recipe']['own']}.npz" for choice in chosen.values() if choice["recipe"]}
    base = {"als.npz", "item_knn.npz", "popularity.npz", "items.arrow", "persons.arrow", "manifest.json"}
    base |= {"repurchase.npz", "purchases.npz"}
    assert {file.name for file in folder.glob("*.*")} == base | lists_files  # only what serving needs
    release = Release.load(paths.models, "a", candidate)
    assert release.placement_notes["item"] == "ladder: the test days hold no case of its question"
    assert release.placement("item") is release.placement("cart") is None
    home = release.placement("home")
    assert home is not None
    assert home.name == chosen["home"]["model"]
    choice = home.personal("p05")
    assert choice is not None
    assert {int(item) % GROUPS for item in choice.items[:3]} == {1}
    assert home.personal("a stranger") is None
    card = next(card for card in read_cards(paths.models, paths.history) if card.placement == "home")
    judged = json.loads((paths.models / "a" / "candidates" / candidate / "evaluation.json").read_text())["placements"]["home"]
    assert (card.model, card.gate_sentence, card.persons) == (
        home.name,
        chosen["home"]["sentence"],
        {"home": judged["persons"]},
    )
    assert card.metrics["home"]["ndcg@10"].mean == judged["models"][home.name]["metrics"]["ndcg@10"]["mean"]
    assert "home page" in card.intended


def test_taste_that_does_not_beat_popularity_is_not_served(released: Released) -> None:
    paths, candidate, folder = released
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["beats_popularity"] == ["als", "item_knn"]
    assert Release.load(paths.models, "a", candidate).taste("p05") is not None
    (folder / "manifest.json").write_text(json.dumps(manifest | {"beats_popularity": ["item_knn"]}))
    assert Release.load(paths.models, "a", candidate).taste("p05") is None


def test_a_release_says_where_what_sells_answers(released: Released) -> None:
    paths, candidate, folder = released
    assert Release.load(paths.models, "a", candidate).sold_placements == frozenset()
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["placements"]["item"] = {"model": "popularity", "recipe": None, "sentence": "the ladder is no better"}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    release = Release.load(paths.models, "a", candidate)
    assert release.sold_placements == {"item"}
    assert release.placement("home") is not None
    assert release.ladder_alone().placement("home") is None
    assert release.ladder_alone().sold_placements == frozenset()


def test_a_release_of_the_first_format_is_served_by_the_ladder(released: Released) -> None:
    paths, candidate, folder = released
    manifest = json.loads((folder / "manifest.json").read_text())
    del manifest["placements"], manifest["release_format"]
    (folder / "manifest.json").write_text(json.dumps(manifest))
    release = Release.load(paths.models, "a", candidate)
    assert release.taste("p05") is not None
    assert all(release.placement(name) is None for name in ("home", "item", "cart", "after_payment"))
    assert "format 1" in release.placement_notes["home"]


def _drop_file(folder: Path, manifest: dict[str, Any]) -> None:
    next(folder.glob("lists_*.npz")).unlink()


def _damage_file(folder: Path, manifest: dict[str, Any]) -> None:
    next(folder.glob("lists_*.npz")).write_bytes(b"scribble")


def _newer_format(folder: Path, manifest: dict[str, Any]) -> None:
    manifest["release_format"] = 3


def _forget_a_placement(folder: Path, manifest: dict[str, Any]) -> None:
    del manifest["placements"]["cart"]


def _unknown_context(folder: Path, manifest: dict[str, Any]) -> None:
    manifest["placements"]["item"]["recipe"] = {"name": "x", "context": "crystal_ball", "own": None, "own_share": 1.0}


def _unknown_part(folder: Path, manifest: dict[str, Any]) -> None:
    manifest["placements"]["home"]["recipe"]["seed"] = 7


def _no_section(folder: Path, manifest: dict[str, Any]) -> None:
    manifest["placements"]["home"]["recipe"]["own"] = "als"


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (_drop_file, "cannot be read"),
        (_damage_file, "checksum differs"),
        (_newer_format, "release_format is 3, this version reads 1 and 2"),
        (_forget_a_placement, "not whole: .cart."),
        (_unknown_context, "not whole: 'crystal_ball'"),
        (_unknown_part, "not whole: .*seed"),
        (_no_section, "lists_als.npz"),
    ],
)
def test_a_release_whose_placements_are_not_whole_is_refused(released: Released, damage: Any, message: str) -> None:
    paths, candidate, folder = released
    manifest = json.loads((folder / "manifest.json").read_text())
    damage(folder, manifest)
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(CorruptArtefact, match=message):
        Release.load(paths.models, "a", candidate)


def test_what_was_not_known_before_the_cut_is_not_learnt(paths: Paths) -> None:
    """Acts of the training days that became known in the test days reach the full models only."""
    rows = acts()
    for row in rows:
        if row["item_id"] == "i00" and row["occurred_at"] < START + timedelta(days=16):
            row["received_at"] = START + timedelta(days=20)
    publish_table(paths, SILVER_INTERACTIONS, rows)
    candidate = train(paths, newest(paths.var), "a")
    folder = paths.models / "a" / "candidates" / candidate
    sales = {part: np.load(folder / part / "popularity.npz")["sales"][0] for part in ("window", "full")}
    assert sales["window"] == 0
    assert sales["full"] > 0


def test_each_step_names_the_one_before_it(paths: Paths) -> None:
    with pytest.raises(StepMissing, match="models train --shop a"):
        evaluate_candidate(paths, newest(paths.var), "a")
    folder = paths.models / "a" / "candidates" / train(paths, newest(paths.var), "a")
    for step in (judge_served, gate):
        with pytest.raises(StepMissing, match="models evaluate --shop a"):
            step(paths, newest(paths.var), "a")
    (folder / "evaluation.json").write_text("{}")
    with pytest.raises(StepMissing, match="models gate --shop a"):
        publish(paths, "a")
    publish_table(paths, SILVER_INTERACTIONS, acts()[:-1])
    with pytest.raises(StepMissing, match="run train again"):
        evaluate_candidate(paths, newest(paths.var), "a")


def test_shops_that_cannot_be_learnt_from_are_named(paths: Paths) -> None:
    with pytest.raises(NoInteractions, match="shop 'b'"):
        train(paths, newest(paths.var), "b")
    publish_table(paths, SILVER_INTERACTIONS, acts(days=10))
    with pytest.raises(TooShort, match="only 10 days"):
        train(paths, newest(paths.var), "a")


def test_a_release_of_other_content_has_another_name(paths: Paths) -> None:
    """The gate decides anew on the same candidate: what is published then is what it decided, not what lies there."""
    candidate = train(paths, newest(paths.var), "a")
    evaluate_candidate(paths, newest(paths.var), "a")
    judge_served(paths, newest(paths.var), "a")
    decision = gate(paths, newest(paths.var), "a")
    assert publish(paths, "a") == candidate
    decision["placements"]["home"] |= {"model": "ladder", "recipe": None, "sentence": "refused since"}
    (paths.models / "a" / "candidates" / candidate / "gate.json").write_text(json.dumps(decision))
    version = publish(paths, "a")
    assert version is not None
    assert version.startswith(f"{candidate}-")
    assert current_version(paths.models, "a") == version
    assert Release.load(paths.models, "a", version).placement("home") is None
    assert publish(paths, "a") == version


def test_the_gate_refuses_a_candidate_that_somebody_withdrew(released: Released) -> None:
    paths, candidate, _ = released
    at = datetime(2026, 10, 1, tzinfo=UTC)
    switch = Switch(at, "on call", ROLLED_BACK, "older", "older", candidate, withdrawn=candidate, note="no shoes")
    write_switch(paths.models, "a", switch)
    decision = gate(paths, newest(paths.var), "a")
    assert not decision["is_released"]
    assert decision["sentence"].endswith(f"candidate {candidate} was withdrawn on 2026-10-01 00:00 UTC by on call: no shoes")
    assert publish(paths, "a") is None


def test_what_could_change_a_model_makes_another_candidate(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    first = train(paths, newest(paths.var), "a")
    with monkeypatch.context() as patch:
        patch.setattr("models.training.train.code_digest", lambda: "another version of a library")
        assert train(paths, newest(paths.var), "a") != first
    shown, nothing = np.array([5.0]), np.array([0.0])
    listed_at = np.array(["2026-09-01"], "M8[us]")
    facts = Facts([ItemText("t", {})], ["c"], listed_at, shown, nothing, examined=shown, looked_at=np.ones(5), known_to_ms=0)
    clicked = replace(facts, clicked=np.array([1.0]))
    moments = [replace(facts, known_to_ms=1), replace(facts, looked_at=np.full(5, 0.5))]
    assert len({_candidate_id("acts", each, []) for each in (None, facts, clicked, *moments)}) == 5
    assert len({_candidate_id("acts", facts, each) for each in ([], ["features"], ["features", "Asia/Shanghai"])}) == 3


def test_another_zone_or_another_category_makes_another_candidate(paths: Paths) -> None:
    """Trees see the hour by the shop's clocks, and whether two items are of one category."""
    first = train(paths, newest(paths.var), "a")
    with Shops.edit(paths.shops_file) as shops:
        shops.add(Shop(shop_id="a", name="a", time_zone="Asia/Shanghai"))
    moved = train(paths, newest(paths.var), "a")
    items = [{"shop_id": "a", "item_id": f"i{item:02}", "category": f"c{item % 2}"} for item in range(ITEMS)]
    publish_table(paths, SILVER_ITEMS, items)
    assert len({first, moved, train(paths, newest(paths.var), "a")}) == 3


def test_a_release_of_the_candidates_id_and_of_other_content_is_a_champion(released: Released) -> None:
    paths, candidate, _ = released
    cut = datetime.fromisoformat("2026-09-17T00:00:00")
    assert find_champion(paths.models, "a", candidate, cut) is None
    file = paths.models / "a" / "candidates" / candidate / "full" / "manifest.json"
    manifest = json.loads(file.read_text())
    manifest["sha256"]["als.npz"] = "0" * 64
    file.write_text(json.dumps(manifest))
    champion = find_champion(paths.models, "a", candidate, cut)
    assert champion is not None
    assert champion.version == candidate


def test_a_damaged_candidate_is_not_published_and_a_damaged_release_is_written_again(paths: Paths) -> None:
    candidate = train(paths, newest(paths.var), "a")
    evaluate_candidate(paths, newest(paths.var), "a")
    judge_served(paths, newest(paths.var), "a")
    gate(paths, newest(paths.var), "a")
    publish(paths, "a")
    release = paths.models / "a" / "releases" / candidate / "als.npz"
    sound = release.read_bytes()
    release.write_bytes(b"scribble")
    with pytest.raises(CorruptArtefact, match="publish the release again"):
        Release.load(paths.models, "a", candidate)
    assert publish(paths, "a") == candidate
    assert release.read_bytes() == sound
    (paths.models / "a" / "candidates" / candidate / "full" / "als.npz").write_bytes(b"scribble")
    with pytest.raises(CorruptArtefact):
        gate(paths, newest(paths.var), "a")
    (paths.models / "a" / "CURRENT").write_text("the last good one\n")
    release.write_bytes(b"scribble")
    with pytest.raises(CorruptArtefact):
        publish(paths, "a")
    assert current_version(paths.models, "a") == "the last good one"


@pytest.mark.parametrize("other", ["b", "a-copy"])
def test_a_release_of_another_shop_is_refused(paths: Paths, other: str) -> None:
    candidate = train(paths, newest(paths.var), "a")
    source = paths.models / "a" / "candidates" / candidate / "full"
    target = paths.models / other / "releases" / candidate
    target.parent.mkdir(parents=True)
    source.rename(target)
    with pytest.raises(CorruptArtefact, match=f"is of shop 'a', not of '{other}'"):
        Release.load(paths.models, other, candidate)
    manifest = json.loads((target / "manifest.json").read_text())
    (target / "manifest.json").write_text(json.dumps(manifest | {"shop_id": other}))
    assert list(Release.load(paths.models, other, candidate).item_ids) == [f"i{item:02}" for item in range(ITEMS)]
