"""The blend's compiled table against the same worked out by each source on its own, and what a stored blend must hold."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy import sparse

from models.algorithms.recommender import Scores
from models.algorithms.session_blend import COLUMNS, REPEATS, SHARES, SOURCES, VECTORS, SessionBlend
from models.algorithms.session_blend_query import OfRules, OfSessions
from models.algorithms.session_knn import SessionKNN
from models.algorithms.session_vectors import unit
from models.algorithms.symmetric_trees import SymmetricTrees
from models.candidates.pairs import Candidates, gather, look_up
from models.data.sequences import Sequences
from models.training.session_trees import TooFewToLearn, session_trees, teach_blend

ITEMS = 60
FEW = 25  # candidates, fewer than the sources name


def walks(sessions: int, seed: int) -> Sequences:
    """Walks along a circle of items that stand still now and then."""
    luck = np.random.default_rng(seed)
    rows = [(luck.integers(ITEMS) + np.cumsum(luck.integers(0, 4, luck.integers(1, 9)))) % ITEMS for _ in range(sessions)]
    return Sequences.of(rows, ITEMS)


LEARNT = walks(700, 1)


@pytest.fixture(scope="module")
def blend() -> SessionBlend:
    return SessionBlend(candidates=FEW).fit(LEARNT)


@pytest.fixture(scope="module")
def taught() -> SessionBlend:
    return teach_blend(walks(300, 1), walks(200, 2), seed=7)


def weights_of(blend: SessionBlend, name: str, prefixes: Sequences) -> sparse.csr_matrix:
    """What a source says, by the model that it is of."""
    source = SOURCES[name]
    if isinstance(source, OfSessions):
        return SessionKNN(**source._asdict()).fit(LEARNT).score(prefixes)
    if isinstance(source, OfRules):
        rules = blend.rules_[source.rules].rules()
        back = prefixes.back()
        weight = (back == 0).astype(float) if source.decay == 0 else np.exp(-back / source.decay)
        return sparse.csr_matrix(prefixes.summed(weight) @ rules)
    return blend.repeats_.score(prefixes)


def worked_out(blend: SessionBlend, prefixes: Sequences) -> tuple[Candidates, Scores]:
    """Candidates and their columns, source by source and matrix by matrix."""
    weights = {name: weights_of(blend, name, prefixes) for name in SOURCES}
    candidates = gather(weights, SHARES, FEW)
    facts = blend.facts_
    assert facts is not None
    columns = [candidates.strength, facts.popularity[candidates.item], facts.recent[candidates.item]]
    columns.append(columns[2] - columns[1])
    for name in SOURCES:
        columns += look_up(weights[name], candidates)
    back, seen = prefixes.latest(prefixes.back() + 1.0), prefixes.summed(np.ones(len(prefixes.flat)))
    columns += [look_up(back, candidates)[0], look_up(seen, candidates)[0]]
    rows = [row.tolist() for row in prefixes]
    of_session = [
        (
            np.log1p(len(row)),
            1 - len(set(row)) / max(len(row), 1),
            len(row) > 1 and row[-1] == row[-2],
            facts.popularity[row[-1]] if row else 0,
        )
        for row in rows
    ]
    columns += list(np.array(of_session, dtype=np.float32)[candidates.row].T)
    product = blend.vectors_.encode(prefixes)[candidates.row] * unit(blend.vectors_.state()["vectors"])[0][candidates.item]
    cosine = product.sum(axis=1)
    return candidates, np.column_stack([*columns, cosine, cosine.max(initial=-1) - cosine])


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.integers(0, ITEMS - 1), max_size=30))
def test_the_compiled_table_is_the_one_worked_out_source_by_source(blend: SessionBlend, prefix: list[int]) -> None:
    prefixes = Sequences.of([prefix], ITEMS)
    _, item, columns = blend.table(prefixes)
    candidates, expected = worked_out(blend, prefixes)
    assert columns.shape == (len(item), len(COLUMNS))
    np.testing.assert_allclose(np.sort(columns[:, 0]), np.sort(candidates.strength), rtol=1e-4)  # near ties change places
    both, mine, theirs = np.intersect1d(item, candidates.item, return_indices=True)
    assert len(both) >= 0.8 * len(item)
    np.testing.assert_allclose(columns[mine], expected[theirs], rtol=1e-4, atol=1e-5)


def test_one_query_answers_again_and_again_alike(blend: SessionBlend) -> None:
    """Nothing of an answer stays for the next."""
    query, fresh = blend.query(), blend.query()
    prefixes = list(walks(40, 3))
    for prefix in prefixes:
        query.ask(prefix)
    for prefix in prefixes:
        items, columns = query.ask(prefix)
        again, same = fresh.ask(prefix)
        assert items.tolist() == again.tolist()
        assert (columns == same).all()
    assert [len(each) for each in query.ask(np.empty(0, dtype=np.int64))] == [0, len(COLUMNS)]


@pytest.mark.parametrize("prefix", [[ITEMS], [3, -1]])
def test_an_item_out_of_range_is_refused_before_anything_is_added_up(blend: SessionBlend, prefix: list[int]) -> None:
    query = blend.query()
    with pytest.raises(ValueError, match="does not know"):
        query.ask(np.array(prefix))
    assert query.ask(np.array([3]))[0].tolist() == blend.query().ask(np.array([3]))[0].tolist()


def test_a_chance_follows_from_the_trees(taught: SessionBlend) -> None:
    row, item, columns = taught.table(Sequences.of([[3, 4], [8]], ITEMS))
    assert taught.trees_ is not None
    weights = taught.score(Sequences.of([[3, 4], [8]], ITEMS)).toarray()
    np.testing.assert_allclose(weights[row, item], 1 / (1 + np.exp(-taught.trees_.predict(columns))), rtol=1e-6)


def test_sessions_that_are_too_few_teach_no_trees() -> None:
    with pytest.raises(TooFewToLearn, match="3 sessions are too few"):
        teach_blend(walks(3, 1), Sequences.of([], ITEMS), seed=7)
    with pytest.raises(TooFewToLearn, match="100 are needed"):
        teach_blend(walks(50, 1), walks(10, 2), seed=7)
    assert session_trees(walks(50, 1)) is None


def test_a_very_large_shop_has_no_blend(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("models.training.session_trees.teach_blend", lambda *_: pytest.fail("nothing is fitted"))
    large = Sequences(np.array([0, 1]), np.array([0, 2]), 50_001)
    assert session_trees(large) is None
    monkeypatch.setattr("models.training.session_trees.MOST_CLICKS", 1)
    assert session_trees(walks(2, 1)) is None


def changed(state: dict[str, np.ndarray], key: str) -> dict[str, np.ndarray]:
    """A state of which one array is something else."""
    array = state[key]
    other = {"trees/feature": array.astype(np.float32), "idf": array[:-1], "popularity": array[:-1]}
    return state | {key: other.get(key, array + 1000 if key.endswith("indices") else array[:-1])}


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("idf", "not those of sessions"),
        ("popularity", "other arrays have the shapes"),
        ("rules/rules_indices", "column index|indices"),
        ("swalk/rules_data", "same size|length|data"),
        (f"{REPEATS}/rates", "80 rates"),
        (f"{VECTORS}/vectors", "other arrays have the shapes"),
        ("trees/feature", "not whole"),
        ("trees/border", "not whole"),
        ("trees/leaf", "not whole"),
    ],
)
def test_arrays_that_do_not_belong_together_are_refused(taught: SessionBlend, key: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SessionBlend().from_state(changed(dict(taught.state()), key))


def test_trees_over_other_columns_are_refused(taught: SessionBlend) -> None:
    state = dict(taught.state()) | {"trees/features": np.array([3])}
    with pytest.raises(ValueError, match=f"over {len(COLUMNS)} columns"):
        SessionBlend().from_state(state)
    whole = {key.removeprefix("trees/"): array for key, array in taught.state().items() if key.startswith("trees/")}
    assert SymmetricTrees.checked(whole, len(COLUMNS)).state().keys() == whole.keys()


@pytest.mark.parametrize("key", ["idf", "rules/rules_data", f"{REPEATS}/rates", f"{VECTORS}/vectors", "recent", "trees/leaf"])
def test_a_missing_array_is_named(taught: SessionBlend, key: str) -> None:
    state = {name: array for name, array in taught.state().items() if name != key}
    with pytest.raises((KeyError, ValueError), match=key.split("/")[-1] if "trees" not in key else "trees"):
        SessionBlend().from_state(state)
