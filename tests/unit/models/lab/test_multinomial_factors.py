"""Multinomial factors on persons whose chances are known, beyond the contract of all matrix models."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from models.lab.multinomial_factors import MultinomialFactors

PERSONS, ITEMS, DRAWS = 600, 40, 60


def generated(seed: int = 0) -> tuple[sparse.csr_matrix, np.ndarray]:
    """Draws of each person, and the chances they were drawn by: two tastes, and an appeal of each item."""
    rng = np.random.default_rng(seed)
    pull = rng.standard_normal((PERSONS, 2)) @ rng.standard_normal((2, ITEMS)) + rng.standard_normal(ITEMS)
    chance = np.exp(pull) / np.exp(pull).sum(axis=1, keepdims=True)
    draws = np.array([rng.multinomial(DRAWS, each) for each in chance])
    return sparse.csr_matrix(draws.astype(np.float32)), chance


def surprise(truth: np.ndarray, chances: np.ndarray) -> float:
    """Mean Kullback-Leibler divergence, in nats."""
    return float((truth * np.log(truth / chances)).sum(axis=1).mean())


def test_chances_come_near_those_that_made_the_draws() -> None:
    x, truth = generated()
    sales = np.asarray(x.sum(axis=0), dtype=np.float32).ravel()
    result = MultinomialFactors(factors=2).fit(x, sales).score(x)
    np.testing.assert_allclose(result.sum(axis=1), 1, atol=1e-5)
    of_all = np.tile(sales / sales.sum(), (PERSONS, 1))
    assert surprise(truth, result) < 0.05 * surprise(truth, of_all)


def test_a_persons_factors_are_the_most_likely_ones() -> None:
    """At the maximum the slope is zero: history · V − draws · E[v] = person_ridge · u."""
    x, _ = generated()
    model = MultinomialFactors(factors=2).fit(x, np.asarray(x.sum(axis=0), dtype=np.float32).ravel())
    items, appeal = model.state()["items"], model.state()["appeal"]
    chance = model.score(x)
    centred = np.column_stack([items, np.ones(ITEMS)])
    persons = np.linalg.lstsq(centred, (np.log(chance) - appeal).T, rcond=None)[0][:2].T
    slope = x @ items - DRAWS * (chance @ items) - model.person_ridge * persons
    assert np.abs(slope).max() < 0.01 * np.abs(x @ items).max()
