"""Judge models on a time split: what every test customer bought afterwards against each model's list."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from models.algorithms.recommender import Items, Recommender, top_k
from models.data.interactions import Interactions, instant
from models.data.sequences import evenly_spaced
from models.data.split import SplitWindow
from models.evaluation.comparison import BASELINE, PairedModels
from models.evaluation.metrics import KS, coverage, hits_of, measure

BATCH, MOST_SCORES = 256, 2**26  # persons, and scores of every item, at a time


class NobodyToTest(ValueError):
    """No person has both a training history and a purchase in the test interval."""


@dataclass(frozen=True)
class TestSet:
    """Histories of the test customers before the cut, and what they bought in the test interval (both persons × items)."""

    histories: sparse.csr_matrix
    bought: sparse.csr_matrix

    @property
    def persons(self) -> int:
        """Test customers."""
        return int(self.histories.shape[0])

    def sampled(self, most: int) -> TestSet:
        """Evenly spaced test customers, at most ``most``."""
        if self.persons <= most:
            return self
        rows = evenly_spaced(self.persons, most)
        return TestSet(self.histories[rows], self.bought[rows])


def make_test_set(interactions: Interactions, window: SplitWindow) -> TestSet:
    """Customers with a training history who paid in the test interval.

    An item that had no act before the cut counts as relevant all the same: nobody could recommend it, and hiding it would
    flatter every model. Raises NobodyToTest.
    """
    training = interactions.where(window.is_training(interactions.occurred_at, interactions.known_at)).matrix()
    paid = interactions.where(window.is_test(interactions.occurred_at) & (interactions.kind == "pay"))
    bought = paid.matrix()
    persons = np.flatnonzero((np.diff(training.indptr) > 0) & (np.diff(bought.indptr) > 0))
    if len(persons) == 0:
        raise NobodyToTest("no person has both a history before the cut and a purchase in the test interval")
    return TestSet(training[persons], bought[persons])


@dataclass(frozen=True)
class ModelResult:
    """One model on one protocol: values per metric and person, and the lists (persons × max k)."""

    values: dict[str, npt.NDArray[np.float64]]
    lists: npt.NDArray[np.int64]


def rank(model: Recommender, tests: TestSet, *, masked: Sequence[bool]) -> list[Items]:
    """Lists of the whole catalogue for every test customer (persons × max k), one for each entry of ``masked``: with the items
    of the customer's history taken out, or with all. Every customer is scored once.
    """
    lists: list[list[Items]] = [[] for _ in masked]
    batch = max(1, min(BATCH, MOST_SCORES // max(1, tests.histories.shape[1])))
    for start in range(0, tests.persons, batch):
        part = tests.histories[start : start + batch]
        scores = model.score(part)
        for batches, is_masked in zip(lists, masked, strict=True):
            batches.append(top_k(scores, max(KS), part if is_masked else None))
    return [np.concatenate(batches) for batches in lists]


def evaluate_model(model: Recommender, tests: TestSet, *, only_new: bool) -> ModelResult:
    """Rank the whole catalogue for every test customer and compare with what they bought.

    ``only_new`` masks what is in the customer's history and judges by purchases that are not; customers without one drop out.
    """
    return _compare(rank(model, tests, masked=[only_new])[0], tests, only_new=only_new)


def _compare(lists: Items, tests: TestSet, *, only_new: bool) -> ModelResult:
    bought = tests.bought
    if only_new:
        bought = _without(bought, tests.histories)
        rows = np.flatnonzero(np.diff(bought.indptr) > 0)
        lists, bought = lists[rows], bought[rows]
    if len(lists) == 0:
        return ModelResult({}, np.empty((0, max(KS)), dtype=np.int64))
    relevant = np.diff(bought.indptr).astype(np.int64)
    return ModelResult(measure(hits_of(lists, bought), relevant, KS), lists)


def _without(matrix: sparse.csr_matrix, removed: sparse.csr_matrix) -> sparse.csr_matrix:
    seen = removed.copy()
    seen.data = np.ones_like(seen.data)
    kept = (matrix - matrix.multiply(seen)).tocsr()
    kept.eliminate_zeros()
    return kept


def evaluate(models: dict[str, Recommender], tests: TestSet, window: SplitWindow, items: int) -> dict[str, Any]:
    """The report: for each protocol and model every metric with its interval and its paired difference to popularity."""
    report: dict[str, Any] = {
        "window": {name: instant(getattr(window, name)).isoformat() for name in ("cut", "test_from", "end")},
        "items": items,
        "baseline": BASELINE,
        "protocols": {},
    }
    protocols = {"all_items": False, "new_items": True}
    ranked = {name: rank(model, tests, masked=list(protocols.values())) for name, model in models.items()}
    for position, (protocol, only_new) in enumerate(protocols.items()):
        judged = {name: _compare(lists[position], tests, only_new=only_new) for name, lists in ranked.items()}
        persons = len(judged[BASELINE].lists)
        metrics = PairedModels({name: result.values for name, result in judged.items()}).report() if persons else {}
        section: dict[str, Any] = {"persons": persons, "models": {}}
        for name, result in judged.items():
            covered = round(coverage(result.lists, items), 6)
            section["models"][name] = {"metrics": metrics.get(name, {}), "coverage@20": covered}
        report["protocols"][protocol] = section
    return report
