"""The ranking protocol against a version that a reader can check by eye."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from models.evaluation.intervals import bootstrap_all
from models.evaluation.metrics import hits_of, measure
from models.protocols.ranking import rank_all

ITEMS = 7
persons = st.lists(
    st.tuples(
        st.lists(st.integers(-3, 3), min_size=ITEMS, max_size=ITEMS),  # scores; small, so that many are equal
        st.sets(st.integers(0, ITEMS - 1)),  # masked
        st.sets(st.integers(0, ITEMS - 1)),  # relevant and known
        st.integers(0, 3),  # relevant and unknown
    ).filter(lambda person: len(person[2]) + person[3] > 0),
    min_size=1,
    max_size=6,
)


def by_hand(person: tuple[list[int], set[int], set[int], int], k: int) -> dict[str, float]:
    scores, masked, relevant, unknown = person
    ranked = [item for item in sorted(range(ITEMS), key=lambda item: (-scores[item], item)) if item not in masked][:k]
    places = [place for place, item in enumerate(ranked, 1) if item in relevant]
    total = len(relevant) + unknown
    ideal = sum(1 / math.log2(place + 1) for place in range(1, min(total, k) + 1))
    return {
        f"recall@{k}": len(places) / total,
        f"ndcg@{k}": sum(1 / math.log2(place + 1) for place in places) / ideal,
        f"hit_rate@{k}": float(bool(places)),
        f"mrr@{k}": 1 / places[0] if places else 0.0,
    }


def rows(sets: list[set[int]]) -> sparse.csr_matrix:
    array = np.zeros((len(sets), ITEMS), dtype=np.float32)
    for place, items in enumerate(sets):
        array[place, list(items)] = 1
    return sparse.csr_matrix(array)


@settings(max_examples=150, deadline=None)
@given(persons, st.integers(1, ITEMS + 3))
def test_metrics_are_those_of_a_brute_force(actual: list[tuple[list[int], set[int], set[int], int]], k: int) -> None:
    scores = np.array([person[0] for person in actual], dtype=np.float32)
    masked, relevant = rows([person[1] for person in actual]), rows([person[2] for person in actual])
    position = iter([0])

    def score(part: sparse.csr_matrix) -> np.ndarray:
        start = next(position, 0)
        return scores[start : start + part.shape[0]]

    lists = rank_all(score, masked, k, masked)
    counts = np.array([len(person[2]) + person[3] for person in actual])
    values = measure(hits_of(lists, relevant), counts, [k])
    for place, person in enumerate(actual):
        for name, expected in by_hand(person, k).items():
            assert math.isclose(values[name][place], expected, abs_tol=1e-12), name


def test_a_list_longer_than_the_catalogue_is_judged_by_what_was_asked() -> None:
    lists = np.array([[0, -1, -1]])
    values = measure(hits_of(lists, sparse.csr_matrix(np.array([[1.0]]))), np.array([3]), [3])
    assert values["recall@3"][0] == 1 / 3
    assert math.isclose(values["ndcg@3"][0], 1 / (1 + 1 / math.log2(3) + 0.5))


def test_intervals_hold_the_mean_and_shrink_with_more_persons() -> None:
    values = np.random.default_rng(0).random(30_000)
    few, many = bootstrap_all({"m": values[:100]})["m"], bootstrap_all({"m": values})["m"]
    assert few.low < few.mean < few.high
    assert many.high - many.low < (few.high - few.low) / 5
