"""The ranker's trees: grown by CatBoost, evaluated here, summed, kept; and what they are taught from."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from models.algorithms.recommender import NotFitted
from models.algorithms.symmetric_trees import SymmetricTrees
from models.lab.feature_ranker.linear import LinearScore
from models.ranking.growth import Examples, Growth, NoRankingExamples, export_trees, grow, join_examples, train_catboost
from models.release.artefact import load_state, read_manifest, save

GROWTH = Growth(trees=30, depth=3, threads=1)


def made_examples(rows: int = 2000, features: int = 20, seed: int = 0) -> Examples:
    rng = np.random.default_rng(seed)
    values = rng.standard_normal((rows, features)).astype(np.float32)
    label = (values[:, 0] + values[:, 1] * values[:, 2] + rng.standard_normal(rows) > 1).astype(np.float32)
    return Examples(np.arange(rows) // 20, values, label, label > 0)


@pytest.mark.parametrize("depth", [1, 4, 8])
def test_trees_give_catboosts_own_predictions(depth: int) -> None:
    examples, growth = made_examples(), Growth(trees=60, depth=depth, threads=1)
    model = train_catboost(examples.with_a_hit(), growth)
    trees = export_trees(model, 20)
    rows = np.random.default_rng(1).standard_normal((5000, 20)).astype(np.float32)
    rows[:1000] = examples.values[:1000]
    mine = model.predict(rows)
    assert np.ptp(mine) > 0.1
    assert np.abs(trees.predict(rows) - mine).max() <= 3e-6


def test_a_row_at_a_border_goes_where_catboost_puts_it() -> None:
    model = train_catboost(made_examples().with_a_hit(), Growth(trees=10, depth=2, threads=1))
    trees = export_trees(model, 20)
    feature, border = trees.state()["feature"][:, 0], trees.state()["border"][:, 0]
    rows = np.zeros((len(border), 20), dtype=np.float32)
    rows[np.arange(len(border)), feature] = border
    assert np.abs(trees.predict(rows) - model.predict(rows)).max() <= 3e-6


def test_trees_survive_their_artefact_and_refuse_other_columns(tmp_path: Path) -> None:
    trees, importances = grow(made_examples(), tuple(f"f{n}" for n in range(20)), GROWTH)
    save(tmp_path, {"trees": trees.state()}, {}, {"importances": importances})
    manifest = read_manifest(tmp_path)
    loaded = SymmetricTrees().from_state(load_state(tmp_path, manifest, "trees"))
    rows = made_examples(seed=5).values
    assert np.array_equal(loaded.predict(rows), trees.predict(rows))
    assert next(iter(manifest["importances"])) in ("f0", "f1", "f2")
    assert sum(importances.values()) == pytest.approx(100, abs=0.1)
    with pytest.raises(ValueError, match="20 features"):
        trees.predict(rows[:, :19])
    with pytest.raises(NotFitted):
        SymmetricTrees().predict(rows)


def test_growing_twice_gives_the_same_trees() -> None:
    one, other = (grow(made_examples(), tuple(f"f{n}" for n in range(20)), GROWTH)[0].state() for _ in range(2))
    assert all(np.array_equal(one[name], other[name]) for name in one)


def test_a_sum_of_forests_scores_as_the_sum_of_their_scores() -> None:
    rows = made_examples(seed=5).values
    deep, flat = (
        export_trees(train_catboost(made_examples().with_a_hit(), Growth(trees=12, depth=depth, threads=1)), 20)
        for depth in (5, 2)
    )
    both = SymmetricTrees.summed([deep, flat], [0.25, 2.0])
    np.testing.assert_allclose(both.predict(rows), 0.25 * deep.predict(rows) + 2 * flat.predict(rows), rtol=1e-5, atol=1e-6)
    other = export_trees(train_catboost(made_examples(features=6).with_a_hit(), GROWTH), 6)
    for parts, weights in (([deep, other], [1.0, 1.0]), ([deep, flat], [1.0])):
        with pytest.raises(ValueError, match="columns"):
            SymmetricTrees.summed(parts, weights)


def test_several_forests_are_the_mean_of_forests_with_seeds_that_follow() -> None:
    names, rows = tuple(f"f{n}" for n in range(20)), made_examples(seed=5).values
    one, next_one, both = (
        grow(made_examples(), names, replace(GROWTH, misses=5, seed=seed, forests=forests))
        for seed, forests in ((3, 1), (4, 1), (3, 2))
    )
    assert not np.array_equal(one[0].predict(rows), next_one[0].predict(rows))
    mean = (one[0].predict(rows) + next_one[0].predict(rows)) / 2
    np.testing.assert_allclose(both[0].predict(rows), mean, rtol=1e-5, atol=1e-6)
    assert both[1]["f0"] == pytest.approx((one[1]["f0"] + next_one[1]["f0"]) / 2, abs=1e-3)


def test_lists_whose_candidates_are_all_alike_teach_nothing() -> None:
    same = replace(made_examples(), label=np.ones(2000, dtype=np.float32))
    assert len(same.with_a_hit()) == 0
    with pytest.raises(NoRankingExamples, match="wait for"):
        grow(same, tuple(f"f{n}" for n in range(20)), GROWTH)
    label = np.array([0, 1, 1, 1], dtype=np.float32)
    mixed = Examples(np.array([0, 0, 1, 1]), np.zeros((4, 1), dtype=np.float32), label, label > 0)
    assert mixed.with_a_hit().group.tolist() == [0, 0]
    assert join_examples([mixed, mixed]).group.tolist() == [0, 0, 1, 1, 2, 2, 3, 3]


def test_thinning_keeps_what_is_relevant_and_a_few_of_the_rest() -> None:
    whole = made_examples()
    few = whole.thinned(3, seed=1)
    assert (few.label > 0).sum() == (whole.label > 0).sum()
    misses = np.bincount(few.group[few.label == 0], minlength=100)
    assert (misses == np.minimum(3, np.bincount(whole.group[whole.label == 0], minlength=100))).all()
    assert np.array_equal(few.values, whole.thinned(3, seed=1).values)


def test_the_linear_score_finds_lines_logarithms_and_only_what_differs_within_a_list() -> None:
    rng = np.random.default_rng(2)
    values = rng.lognormal(0, 1, (4000, 4)).astype(np.float32)
    group = np.arange(4000) // 20
    values[:, 3] = group  # the same for a whole list
    label = (0.5 * values[:, 0] - 2 * np.log(values[:, 1]) + 10 * np.sin(group)).astype(np.float32)
    linear = LinearScore(ridge=1e-3).fit(Examples(group, values, label, label > 0))
    result = linear.predict(values).reshape(-1, 20)
    output = label.reshape(-1, 20)
    within = [np.corrcoef(*pair)[0, 1] for pair in zip(result, output, strict=True)]
    assert np.mean(within) > 0.98
    flat = values.copy()
    flat[:, 3] = 0
    np.testing.assert_allclose(np.diff(linear.predict(flat)[:20]), np.diff(linear.predict(values)[:20]), atol=1e-4)
    again = LinearScore().from_state(linear.state())
    assert np.array_equal(again.predict(values), linear.predict(values))
    with pytest.raises(NotFitted):
        LinearScore().predict(values)


def test_trees_that_start_from_a_score_learn_what_it_leaves() -> None:
    """On average over the rest, a label rises by about 0.2 with column 0."""
    names, examples, rows = tuple(f"f{n}" for n in range(20)), made_examples(), made_examples(seed=5).values
    growth = replace(GROWTH, misses=20)
    trees, importances = grow(examples, names, growth, lambda values: np.float32(0.2) * values[:, 0])
    alone, of_alone = grow(examples, names, growth)
    assert importances["f0"] < of_alone["f0"] / 2
    whole = 0.2 * rows[:, 0] + trees.predict(rows)
    assert np.corrcoef(whole, alone.predict(rows))[0, 1] > 0.9
