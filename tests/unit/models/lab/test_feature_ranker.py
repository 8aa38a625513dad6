"""The ranker and its parts on a small shop whose right answer is known: trees, calibration, candidates, labelled situations."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import sparse

from models.algorithms.recommender import NotFitted
from models.candidates.pairs import Candidates
from models.data.interactions import Interactions
from models.data.snapshot import DAY, Goods, nothing_known, snapshot_at
from models.data.split import SplitWindow
from models.lab.feature_ranker.artefact import load_ranker, save_ranker
from models.lab.feature_ranker.calibration import Calibration, calibration_error, reliability
from models.lab.feature_ranker.columns import NAMES, columns
from models.lab.feature_ranker.labels import ClickedImpressions, purchases_within, shown_within, teaches_more
from models.lab.feature_ranker.ranker import LabelledSituation, Ranker, examples_of
from models.lab.feature_ranker.rhythm import rhythm_facts
from models.lab.feature_ranker.situation import CONTEXT, ITEM_FEATURES, PERSON_FEATURES, Situation, store_values
from models.lab.feature_ranker.sources import SHARES, Sources, candidates_of
from models.ranking.growth import Growth
from models.ranking.labels import relevance_within
from models.release.artefact import CorruptArtefact, read_manifest

PERSONS, ITEMS = 40, 24
START = np.datetime64("2026-09-01T00:00:00", "us")


def shop(seed: int = 3) -> Interactions:
    """Two tastes (even and odd items), and one staple a person that is bought every five days; 60 days."""
    rng = np.random.default_rng(seed)
    rows: list[tuple[int, int, str, float]] = []
    for person in range(PERSONS):
        staple = int(rng.integers(ITEMS // 2)) * 2 + person % 2
        rows += [(person, staple, "pay", day) for day in np.arange(rng.uniform(0, 5), 60, 5)]
        for day in rng.uniform(0, 60, 40):
            item = int(rng.integers(ITEMS // 2)) * 2 + person % 2
            rows.append((person, item, "pay" if rng.random() < 0.15 else "view", day))
    rows.sort(key=lambda row: row[3])
    at = START + (np.array([row[3] for row in rows]) * 86_400e6).astype("timedelta64[us]")
    people, goods = np.array([f"p{n:02}" for n in range(PERSONS)]), np.array([f"i{n:02}" for n in range(ITEMS)])
    person, item = (np.array([row[place] for row in rows]) for place in (0, 1))
    return Interactions(people, goods, person, item, np.array([row[2] for row in rows]), at, at)


def situation(acts: Interactions, day: int) -> Situation:
    rng = np.random.default_rng(day)
    listed = np.full(ITEMS, START)
    category = np.arange(ITEMS) % 2
    goods = Goods(category, listed, np.linspace(100, 900, ITEMS), np.full(ITEMS, 500.0), np.full(ITEMS, -1))
    moment = snapshot_at(acts, goods, START + day * DAY, np.arange(PERSONS) % 2)
    return Situation(
        moment,
        rng.random((PERSONS, len(PERSON_FEATURES))).astype(np.float32),
        rng.random((ITEMS, len(ITEM_FEATURES))).astype(np.float32),
        np.zeros((PERSONS, len(CONTEXT)), dtype=np.int64),
    )


def window(day: int) -> SplitWindow:
    return SplitWindow(START + day * DAY, START + (day + 1) * DAY, START + (day + 8) * DAY)


def labelled_situation(acts: Interactions, day: int) -> LabelledSituation:
    result = situation(acts, day)
    outcome = purchases_within(acts, window(day)), relevance_within(acts, window(day))
    return LabelledSituation(result, Sources().fit(result.moment), *outcome)


GROWTH = Growth(trees=30, depth=3, threads=1)


@pytest.fixture(scope="module")
def labelled() -> list[LabelledSituation]:
    return [labelled_situation(shop(), day) for day in (28, 36, 44)]


@pytest.fixture(scope="module")
def fitted(labelled: list[LabelledSituation]) -> Ranker:
    return Ranker(GROWTH).fit(labelled)


def test_the_rhythm_of_a_person_by_hand() -> None:
    """Item 0 taken 30, 20 and 10 days before the moment, item 1 20 and 10 days, item 2 once, item 3 only seen."""
    rows = [(0, "pay", 30), (0, "add", 20), (0, "pay", 20), (1, "add", 20), (0, "pay", 10), (1, "pay", 10)]
    rows += [(2, "pay", 4), (3, "view", 2), (3, "view", 1)]
    at = START + 40 * DAY - np.array([round((days + 0.5) * 86_400e6) for _, _, days in rows]).astype("timedelta64[us]")
    people, goods = np.array(["p", "q"]), np.array([f"i{n}" for n in range(4)])
    person, item = np.zeros(len(rows), dtype=np.int64), np.array([row[0] for row in rows])
    acts = Interactions(people, goods, person, item, np.array([row[1] for row in rows]), at, at)
    moment = snapshot_at(acts, nothing_known(4), START + 40 * DAY)
    asked = Candidates(np.repeat([0, 1], 4), np.tile(np.arange(4), 2), np.ones(8, dtype=np.float32), 2, 4)
    age, gap, over, days, share = rhythm_facts(moment, asked)
    assert age.tolist() == [10] * 4 + [-1] * 4
    assert gap.tolist() == [10] * 4 + [-1] * 4
    assert over.tolist() == [1] * 4 + [-1] * 4
    assert days.tolist() == [3, 2, 1, 0] + [0] * 4
    assert share.tolist() == [1, 1, 0, 0] + [0] * 4


def test_relevance_is_the_strongest_act_after_the_gap() -> None:
    acts = shop()
    result, bought = relevance_within(acts, window(28)), purchases_within(acts, window(28))
    assert set(np.unique(result.data)) == {1.0, 5.0}
    assert np.array_equal((result == 5).toarray(), bought.toarray() > 0)


def test_calibration_gives_the_share_of_hits_and_never_falls() -> None:
    rng = np.random.default_rng(2)
    scores = rng.uniform(-3, 3, 20_000)
    chance = 1 / (1 + np.exp(-2 * scores))
    hits = rng.random(20_000) < chance
    result = Calibration().fit(scores[:10_000], hits[:10_000])
    output = result.chance(scores[10_000:])
    assert np.abs(output - chance[10_000:]).mean() < 0.02
    assert (np.diff(result.chance(np.linspace(-4, 4, 100))) >= 0).all()
    assert calibration_error(output, hits[10_000:]) < 0.02
    assert calibration_error(1 - output, hits[10_000:]) > 0.3
    again = Calibration().from_state(result.state())
    assert np.array_equal(again.chance(scores), result.chance(scores))


def test_a_reliability_table_by_hand() -> None:
    table = reliability(np.array([0.1, 0.9, 0.3, 0.7]), np.array([False, True, True, False]), bins=2)
    assert table == [
        {"candidates": 2, "mean_chance": 0.2, "share_of_hits": 0.5},
        {"candidates": 2, "mean_chance": 0.8, "share_of_hits": 0.5},
    ]
    assert calibration_error(np.array([0.1, 0.9, 0.3, 0.7]), np.array([False, True, True, False]), 2) == pytest.approx(0.3)
    assert np.isnan(calibration_error(np.array([]), np.array([], dtype=bool)))  # neither perfect nor wrong


def test_candidates_are_the_best_of_each_source_within_what_is_allowed(labelled: list[LabelledSituation]) -> None:
    scores = labelled[0].sources.score(labelled[0].situation.moment)
    assert tuple(scores) == tuple(SHARES)
    allowed = np.arange(ITEMS) != 5
    result = candidates_of(scores, allowed)
    assert 5 not in result.item
    assert len(set(zip(result.row.tolist(), result.item.tolist(), strict=True))) == len(result)
    best = scores["buy_again"].argmax(axis=1)
    mine = {(row, item) for row, item in zip(result.row.tolist(), result.item.tolist(), strict=True)}
    assert all((person, item) in mine for person, item in enumerate(best.tolist()) if item != 5)


def test_every_column_is_finite_and_named(labelled: list[LabelledSituation]) -> None:
    here = labelled[0].situation
    scores = labelled[0].sources.score(here.moment)
    candidates = candidates_of(scores, np.ones(ITEMS, dtype=np.bool_))
    table = columns(here, scores, candidates)
    assert table.shape == (len(candidates), len(NAMES))
    assert np.isfinite(table).all()
    paid = table[:, NAMES.index("pair_payments")]
    acts = here.moment.acts
    for place in (0, 7, len(candidates) - 1):
        mine = (acts.person == candidates.row[place]) & (acts.item == candidates.item[place]) & (acts.kind == "pay")
        assert paid[place] == mine.sum()
    rank = table[:, NAMES.index("item_knn_rank")]
    first = candidates.item == scores["item_knn"].argmax(axis=1)[candidates.row]
    assert (rank[first] == 0).all()


def test_a_part_of_the_persons_gets_the_same_columns(labelled: list[LabelledSituation]) -> None:
    here, sources, some = labelled[0].situation, labelled[0].sources, np.array([3, 9, 21])
    row, item = np.repeat(np.arange(len(some)), ITEMS), np.tile(np.arange(ITEMS), len(some))
    ones = np.ones(len(row), dtype=np.float32)
    part = here.of(some)
    result = columns(part, sources.score(part.moment), Candidates(row, item, ones, len(some), ITEMS))
    whole = columns(here, sources.score(here.moment), Candidates(some[row], item, ones, PERSONS, ITEMS))
    # Places of scores that are all but equal may change with the size of a batch.
    firm = [place for place, name in enumerate(NAMES) if not name.endswith("_rank")]
    np.testing.assert_allclose(result[:, firm], whole[:, firm], rtol=1e-4, atol=1e-4)


def test_the_ranker_finds_the_own_colour_and_what_is_due(fitted: Ranker, labelled: list[LabelledSituation]) -> None:
    acts = shop()
    here = situation(acts, 52)
    sources = Sources().fit(here.moment)
    allowed = np.ones(ITEMS, dtype=np.bool_)
    lists, chances = fitted.rank(here, sources, 5, allowed)
    mine = np.mean([item % 2 == person % 2 for person in range(PERSONS) for item in lists[person]])
    assert mine > 0.9
    bought = purchases_within(acts, window(52))
    hits = np.mean([bought[person, lists[person, 0]] > 0 for person in range(PERSONS)])
    scores = sources.score(here.moment)
    popular = np.mean([bought[person, scores["popularity"][person].argmax()] > 0 for person in range(PERSONS)])
    assert hits > popular + 0.3
    assert ((chances >= 0) & (chances <= 1)).all()
    assert (np.diff(chances, axis=1) <= 1e-9).all()


def test_what_is_not_allowed_never_appears(fitted: Ranker) -> None:
    here = situation(shop(), 52)
    lists, _ = fitted.rank(here, Sources().fit(here.moment), ITEMS, np.arange(ITEMS) < 3)
    assert set(np.unique(lists)) <= {-1, 0, 1, 2}


def test_facts_hold_importances_and_reliability(fitted: Ranker) -> None:
    facts = fitted.facts_
    assert set(facts["importances"]) == set(NAMES)
    assert facts["labels"] == "acts, hits are purchases"
    assert sum(row["candidates"] for row in facts["calibration"]["reliability"]) > 0
    json.dumps(facts)


def test_a_saved_ranker_with_its_sources_gives_the_same_lists(fitted: Ranker, tmp_path: Path) -> None:
    here, everything = situation(shop(), 52), np.ones(ITEMS, dtype=np.bool_)
    sources = Sources().fit(here.moment)
    save_ranker(tmp_path, "s", fitted, sources, here.moment.acts.item_ids.tolist())
    ranker, loaded = load_ranker(tmp_path)
    again, expected = ranker.rank(here, loaded, 5, everything), fitted.rank(here, sources, 5, everything)
    assert np.array_equal(again[0], expected[0])
    assert np.array_equal(again[1], expected[1])
    assert ranker.facts_ == read_manifest(tmp_path)["ranker"]


def test_the_card_tells_importances_and_reliability(fitted: Ranker, tmp_path: Path) -> None:
    here = situation(shop(), 52)
    save_ranker(tmp_path, "s", fitted, Sources().fit(here.moment), here.moment.acts.item_ids.tolist())
    card = (tmp_path / "card.md").read_text()
    first, weight = next(iter(fitted.facts_["importances"].items()))
    assert f"| `{first}` | {weight:.1f} |" in card
    assert card.count("\n| ") >= 10 + 20
    (tmp_path / "ranker_trees.npz").write_bytes(b"changed")
    with pytest.raises(CorruptArtefact, match="ranker_trees"):
        load_ranker(tmp_path)


def test_impressions_teach_when_there_are_enough() -> None:
    at = START + 30 * DAY + np.arange(4) * DAY
    shown = ClickedImpressions(np.array([0, 0, 1, 1]), np.array([2, 3, 2, 2]), at, np.array([True, False, False, True]))
    candidates, clicked = shown_within(shown, window(28), PERSONS, ITEMS)
    assert list(zip(candidates.row.tolist(), candidates.item.tolist(), clicked.tolist(), strict=True)) == [
        (0, 2, 1.0),
        (0, 3, 0.0),
        (1, 2, 1.0),
    ]
    assert not teaches_more(None)
    assert not teaches_more(shown)
    assert teaches_more(ClickedImpressions(*(np.repeat(column, 600) for column in vars(shown).values())))


def test_clicks_can_be_the_labels(labelled: list[LabelledSituation]) -> None:
    """Of four items shown to everybody those of the own colour are clicked."""
    taught = []
    for each in labelled:
        row, item = np.repeat(np.arange(PERSONS), 4), np.tile(np.arange(4), PERSONS)
        shown = candidates_of(
            {name: np.zeros((PERSONS, ITEMS), dtype=np.float32) for name in SHARES}, np.ones(ITEMS, dtype=bool)
        )
        shown = replace(shown, row=row, item=item, strength=np.ones(len(row), dtype=np.float32))
        taught.append(replace(each, shown=shown, clicked=(item % 2 == row % 2).astype(np.float32)))
    ranker = Ranker(GROWTH).fit(taught)
    assert ranker.facts_["labels"] == "clicks"
    assert ranker.facts_["candidates"] == 2 * 4 * PERSONS
    here = situation(shop(), 52)
    lists, _ = ranker.rank(here, Sources().fit(here.moment), 5, np.ones(ITEMS, dtype=np.bool_))
    assert np.mean(lists % 2 == np.arange(PERSONS)[:, None] % 2) > 0.9


def test_store_values_take_defaults_where_the_store_has_none() -> None:
    payload = {"item_units_30d": {"a": 5}, "item_trend_6h": {"b": 0.5}}
    table = store_values(("item_units_30d", "item_trend_6h"), ["a", "b", "c"], payload, {"item_trend_6h": 0.25})
    assert table.tolist() == [[5, 0.25], [0, 0.5], [0, 0.25]]
    assert store_values(("person_order_value_30d",), ["x"], {"person_order_value_30d": {}}).tolist() == [[-1]]


def test_one_situation_is_not_enough_and_tables_must_fit(labelled: list[LabelledSituation]) -> None:
    with pytest.raises(ValueError, match="two labelled situations"):
        Ranker(GROWTH).fit(labelled[:1])
    with pytest.raises(NotFitted):
        Ranker().states()
    with pytest.raises(ValueError, match="item_values"):
        replace(labelled[0].situation, item_values=np.zeros((1, 1), dtype=np.float32))
    empty = replace(labelled[0], relevance=sparse.csr_matrix((PERSONS, ITEMS)))
    assert len(examples_of(empty)) == 0
