"""What the ranker sees of a candidate is what a plain loop over lists, acts and last items says."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from models.data.interactions import Interactions
from models.data.last_acts import LastActs
from models.ranking.known_facts import KnownFacts
from models.ranking.listed import FAR, Listed, RequestPairs, list_columns, union
from models.ranking.request_columns import clock

ITEMS, PERSONS = 6, 3
DAY_MS = 86_400_000
ROWS = st.lists(st.dictionaries(st.integers(0, ITEMS - 1), st.integers(1, 5), max_size=5), min_size=1, max_size=4)


@settings(max_examples=100, deadline=None)
@given(st.lists(ROWS.map(lambda rows: (rows * 4)[:4]), min_size=1, max_size=3), st.integers(1, 4))
def test_lists_say_weight_share_of_the_best_and_place(sources: list[list[dict[int, int]]], most: int) -> None:
    matrices = []
    for rows in sources:
        dense = np.zeros((4, ITEMS), dtype=np.float32)
        for row, weights in enumerate(rows):
            dense[row, list(weights)] = list(weights.values())
        matrices.append(dense)
    lists = [Listed.of(sparse.csr_matrix(each), ITEMS) for each in matrices]
    pairs = union(lists, most, ITEMS)
    table = list_columns(lists, pairs)
    ranked = [[sorted(rows[row], key=lambda item: (-rows[row][item], item)) for row in range(4)] for rows in sources]
    expected = {(row, item) for each in ranked for row in range(4) for item in each[row][:most]}
    assert set(zip(pairs.row.tolist(), pairs.items.tolist(), strict=True)) == expected
    for place, (row, item) in enumerate(zip(pairs.row.tolist(), pairs.items.tolist(), strict=True)):
        for number, (rows, order) in enumerate(zip(sources, ranked, strict=True)):
            weight = rows[row].get(item, 0)
            best = max(rows[row].values(), default=1)
            at = order[row].index(item) + 1 if weight else FAR
            np.testing.assert_allclose(table[place, 3 * number : 3 * number + 3], [weight, weight / best, np.log1p(at)], 1e-6)
        assert table[place, -1] == sum(item in rows[row] for rows in sources)


ACTS = st.lists(
    st.tuples(
        st.integers(0, PERSONS - 1), st.integers(0, ITEMS - 1), st.sampled_from(["view", "add", "pay"]), st.integers(0, 20)
    ),
    min_size=1,
    max_size=25,
)


def interactions(acts: list[tuple[int, int, str, int]]) -> Interactions:
    person, item, kind, day = (np.array(each) for each in zip(*sorted(acts, key=lambda act: act[3]), strict=True))
    at = np.datetime64("2026-09-01T00:00:00", "us") + day * np.timedelta64(1, "D")
    ids = np.array([f"p{n}" for n in range(PERSONS)]), np.array([f"i{n}" for n in range(ITEMS)])
    return Interactions(*ids, person, item, kind, at, at)


@settings(max_examples=100, deadline=None)
@given(ACTS, st.integers(-1, PERSONS - 1))
def test_history_is_counted_by_pair_and_ages_to_the_moment(acts: list[tuple[int, int, str, int]], person: int) -> None:
    asked_ms = int(np.datetime64("2026-09-25", "ms").astype(np.int64))
    category = np.array([0, 0, 1, 1, -1, -1])
    facts = KnownFacts.of(interactions(acts), np.datetime64("2026-09-25", "us"), category, np.zeros(PERSONS))
    again = KnownFacts.from_state(facts.state(), PERSONS, ITEMS)
    table = again.columns(np.array([person]), np.array([asked_ms]), RequestPairs(np.array([0, ITEMS]), np.arange(ITEMS)))
    for item in range(ITEMS):
        mine = [act for act in acts if act[:2] == (person, item)]
        counts = [sum(act[2] == kind for act in mine) for kind in ("view", "add", "pay")]
        recency = max((1 / (1 + 24 - act[3]) for act in mine), default=0)
        paid = max((1 / (1 + 24 - act[3]) for act in mine if act[2] == "pay"), default=0)
        np.testing.assert_allclose(table[item, :5], [*counts, recency, paid], rtol=1e-6)
        bought, seen = (sum(act[1] == item and act[2] == kind for act in acts) for kind in ("pay", "view"))
        np.testing.assert_allclose(table[item, 5], np.log1p(bought + 0.01 * seen), rtol=1e-5)
    assert person >= 0 or not table[:, 7:].any()


def test_hours_and_weekdays_are_the_shops() -> None:
    at = np.array([1_790_000_000_000])  # 2026-09-21 14:13 UTC, a Monday
    assert clock(at, ZoneInfo("UTC")).tolist() == [[14, 0]]
    assert clock(at, ZoneInfo("Asia/Tokyo")).tolist() == [[23, 0]]
    assert clock(at, ZoneInfo("Pacific/Auckland")).tolist() == [[2, 1]]


def test_last_items_are_those_known_at_the_instant() -> None:
    acts = interactions([(0, 1, "view", 3), (0, 2, "add", 5), (0, 1, "view", 6), (0, 4, "pay", 7), (1, 5, "view", 2)])
    items, ages_s = LastActs(acts).at(0, np.datetime64("2026-09-08T00:00:00", "us"))
    assert (items.tolist(), ages_s.tolist()) == ([1, 2], [86_400.0, 2 * 86_400.0])
