"""SLIST and S-Walk against dense formulas of their papers, and a session worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.algorithms.sequential_rules import shares
from models.algorithms.slist import Slist, cuts
from models.algorithms.swalk import SWalk
from models.data.sequences import Sequences

ROWS = st.lists(st.lists(st.integers(0, 5), min_size=1, max_size=6), min_size=1, max_size=12)


def test_cuts_of_a_session_by_hand() -> None:
    """a b a: two cuts; the past fades backwards, the future forwards."""
    past, future = cuts(Sequences.of([[0, 1, 0], [2]], items=3), decay=1.0)
    faded = np.exp(-1.0)
    assert past.toarray() == pytest.approx(np.array([[1, 0, 0], [faded, 1, 0]]))
    assert future.toarray() == pytest.approx(np.array([[faded, 1, 0], [1, 0, 0]]))


def _dense_weights(sessions: Sequences, alpha: float, penalty: float, decay: float) -> np.ndarray:
    """B = (α XᵀX + (1 − α) SᵀS + λ I)⁻¹ (α XᵀX + (1 − α) SᵀT), from rows written out one cut after another."""
    items = sessions.items
    gram, product = np.zeros((items, items)), np.zeros((items, items))
    for row in sessions:
        whole = np.zeros(items)
        whole[row] = 1
        gram += alpha * np.outer(whole, whole)
        product += alpha * np.outer(whole, whole)
        for cut in range(1, len(row)):
            past, future = np.zeros(items), np.zeros(items)
            for place, item in enumerate(row):
                if place < cut:
                    past[item] += np.exp(-(cut - 1 - place) / decay)
                else:
                    future[item] += np.exp(-(place - cut) / decay)
            gram += (1 - alpha) * np.outer(past, past)
            product += (1 - alpha) * np.outer(past, future)
    return np.linalg.solve(gram + penalty * np.eye(items), product)


@settings(max_examples=40, deadline=None)
@given(rows=ROWS, alpha=st.sampled_from([0.0, 0.3, 1.0]))
def test_slist_equals_the_closed_form_where_every_item_is_a_neighbour(rows: list[list[int]], alpha: float) -> None:
    """With each item reached by each other one nothing is left out of the neighbourhood."""
    rows = [*rows, [0, 1, 2, 3, 4, 5, 0, 1, 2, 3, 4, 5]]
    sessions = Sequences.of(rows, items=6)
    model = Slist(alpha=alpha, penalty=2.0, train_decay=1.5, neighbours=6).fit(sessions)
    expected = np.maximum(_dense_weights(sessions, alpha, 2.0, 1.5), 0)
    assert model.rules().toarray() == pytest.approx(expected, abs=2e-4)


@settings(max_examples=20, deadline=None)
@given(rows=ROWS)
def test_a_walk_is_the_sum_of_its_steps(rows: list[list[int]]) -> None:
    """(1 − α) Σ αᵏ Rᵏ T, written with dense powers."""
    sessions = Sequences.of(rows, items=6)
    walk = SWalk(alpha=0.4, beta=0.8, steps=4).fit(sessions)
    moves, similar = (shares(Slist(alpha=alpha).fit(sessions).rules()).toarray() for alpha in (0.0, 1.0))
    teleports = 0.8 * similar + 0.2 * np.eye(6)
    expected = sum(0.6 * 0.4**step * np.linalg.matrix_power(moves, step) @ teleports for step in range(4))
    assert walk.rules().toarray() == pytest.approx(expected, abs=1e-5)


def test_a_walk_reaches_what_no_session_joins() -> None:
    """a b, b c, c d: nobody who saw a saw d."""
    sessions = Sequences.of([[0, 1], [1, 2], [2, 3]] * 4, items=4)
    prefix = Sequences.of([[0]], items=4)
    assert Slist().fit(sessions).score(prefix)[0, 3] == 0
    assert SWalk(steps=4).fit(sessions).score(prefix)[0, 3] > 0


@pytest.mark.parametrize("model", [Slist, SWalk])
def test_state_brings_the_same_scores(model: type[Slist] | type[SWalk]) -> None:
    sessions = Sequences.of([[0, 1, 2], [2, 1], [0, 2]], items=3)
    fitted = model().fit(sessions)
    again = model().from_state(fitted.state())
    prefixes = Sequences.of([[0], [1, 2], []], items=3)
    assert (fitted.score(prefixes) != again.score(prefixes)).nnz == 0


def test_only_the_newest_clicks_are_learnt_from() -> None:
    sessions = Sequences.of([[0, 1]] * 5 + [[2, 3]] * 5, items=4)
    scored = Slist(most_clicks=10).fit(sessions).score(Sequences.of([[0], [2]], items=4)).toarray()
    assert scored[0].max() == 0
    assert scored[1, 3] > 0
