"""LINK against the dense formula of its paper, and its parts worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.algorithms.session_vectors import SessionVectors
from models.algorithms.slist import Slist
from models.data.sequences import Sequences
from models.lab.link import LinkModel

ITEMS = 6
ROWS = st.lists(st.lists(st.integers(0, ITEMS - 1), min_size=1, max_size=6), min_size=1, max_size=12)
ALL = [0, 1, 2, 3, 4, 5, 0, 1, 2, 3, 4, 5]
TEACHER = SessionVectors().from_state(
    {
        "vectors": np.random.default_rng(2).standard_normal((ITEMS, 3)).astype(np.float32),
        "place_weights": np.array([1, 0.5], dtype=np.float32),
    }
)


def dense(sessions: Sequences, alpha: float, beta: float, weight: float, decay: float) -> np.ndarray:
    """B = (α X'ᵀX' + (1 − α) SᵀS + μ I)⁻¹ (α X'ᵀX' + (1 − α) SᵀT + μ M), row by row and item by item."""
    first = Slist(alpha=1.0, penalty=2.0, neighbours=ITEMS).fit(sessions).rules().toarray()
    gram, product = np.zeros((ITEMS, ITEMS)), np.zeros((ITEMS, ITEMS))
    for row in sessions:
        whole = np.zeros(ITEMS)
        whole[row] = 1
        foretold = whole @ first
        extended = beta * foretold / max(foretold.sum(), 1e-12) + (1 - beta) * whole / whole.sum()
        gram += alpha * np.outer(extended, extended)
        product += alpha * np.outer(extended, extended)
        for cut in range(1, len(row)):
            past, future = np.zeros(ITEMS), np.zeros(ITEMS)
            for place, item in enumerate(row):
                if place < cut:
                    past[item] += np.exp(-(cut - 1 - place) / decay)
                else:
                    future[item] += np.exp(-(place - cut) / decay)
            past /= past.sum()
            gram += (1 - alpha) * np.outer(past, past)
            product += (1 - alpha) * np.outer(past, future)
    vectors = TEACHER.state()["vectors"]
    near = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    chances = np.exp(near @ near.T / TEACHER.temperature)
    chances /= chances.sum(axis=1, keepdims=True)
    return np.linalg.solve(gram + weight * np.eye(ITEMS), product + weight * chances)


@settings(max_examples=40, deadline=None)
@given(rows=ROWS, alpha=st.sampled_from([0.0, 0.4, 1.0]), beta=st.sampled_from([0.0, 0.5, 1.0]))
def test_link_equals_the_closed_form_where_nothing_is_cut_off(rows: list[list[int]], alpha: float, beta: float) -> None:
    sessions = Sequences.of([*rows, ALL], ITEMS)
    asked = {"alpha": alpha, "beta": beta, "penalty": 2.0, "teacher_weight": 3.0, "train_decay": 1.5, "teacher": TEACHER}
    model = LinkModel(**asked, neighbours=ITEMS, extension=ITEMS, taught=ITEMS).fit(sessions)
    assert model.rules().toarray() == pytest.approx(np.maximum(dense(sessions, alpha, beta, 3.0, 1.5), 0), abs=2e-4)


def test_without_sessions_to_speak_of_the_teacher_alone_is_left() -> None:
    sessions = Sequences.of([[0, 1], [2, 3], [4, 5]], ITEMS)
    model = LinkModel(teacher_weight=1e6, neighbours=ITEMS, taught=2, teacher=TEACHER).fit(sessions)
    expected = model.transitions(sessions)
    assert model.rules().toarray() == pytest.approx(expected.toarray(), abs=1e-4)
    assert np.diff(expected.indptr).tolist() == [2] * ITEMS
    assert (np.asarray(expected.sum(axis=1)).ravel() <= 1 + 1e-6).all()


def test_a_session_is_extended_by_what_the_first_model_says_of_it() -> None:
    """Two items that always come together and a third apart: a session of one item reaches its companion."""
    sessions = Sequences.of([[0, 1]] * 20 + [[0]] + [[2]], 3)
    extended = LinkModel(beta=0.5, penalty=1.0, extension=2, teacher=TEACHER).extended(sessions).toarray()
    first = Slist(alpha=1.0, penalty=1.0).fit(sessions).rules().toarray()
    foretold = first[0] / first[0].sum()
    assert extended[20] == pytest.approx(0.5 * foretold + 0.5 * np.eye(3)[0], abs=1e-5)
    assert extended[20, 1] > 0.1
    assert extended[21].tolist() == pytest.approx([0, 0, 1])
    one = LinkModel(beta=1.0, penalty=1.0, extension=1, teacher=TEACHER).extended(sessions).toarray()
    assert np.count_nonzero(one[20]) == 1


def test_a_teacher_is_fitted_where_none_is_given() -> None:
    sessions = Sequences.of([ALL] * 5, ITEMS)
    assert LinkModel().fit(sessions).score(Sequences.of([[0, 1]], ITEMS)).nnz > 0
