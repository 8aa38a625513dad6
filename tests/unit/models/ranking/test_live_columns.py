"""One request's lists and columns, made in one compiled pass, are those that many requests get."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from models.candidates.live_lists import LiveLists, RawList, gather_lists, list_table, order_lists
from models.ranking.context_facts import ContextFacts
from models.ranking.known_facts import KnownFacts
from models.ranking.listed import Listed, RequestPairs
from models.ranking.live_columns import LiveQuestion, live_columns
from models.ranking.request_columns import STORED_OF_ITEM, STORED_OF_PERSON, Questions, columns, nothing_stored

ITEMS, PERSONS, MOST, PLACES = 30, 3, 7, 4
ENTRIES = st.lists(
    st.tuples(st.integers(-1, ITEMS - 1), st.sampled_from([-1.0, 0.0, 0.5, 1.0, 2.0, np.inf]), st.integers(0, 3)),
    max_size=20,
    unique_by=lambda entry: entry[0],
)


def gathered(lists: list[list[tuple[int, float, int]]]) -> tuple[Any, RawList]:
    """Each list as everybody's row of a table; the cause of an item is the item 100 further on."""
    columns = [[np.array([[entry[column] for entry in entries]]) for column in range(3)] for entries in lists]
    return gather_lists([], 0, tuple(list_table(*each, each[0] + 100) for each in columns), [0])


@settings(max_examples=150, deadline=None)
@given(st.lists(ENTRIES, min_size=1, max_size=4), st.sets(st.integers(0, ITEMS - 1)))
def test_lists_and_their_first_places_are_those_of_a_plain_sort(lists: list[Any], hidden: set[int]) -> None:
    starts, entries = gathered(lists)
    listed, sources = order_lists(starts, entries, np.isin(entries.items, list(hidden)), MOST, PLACES)
    brought = []
    for number, each in enumerate(lists):
        kept = [entry for entry in each if entry[0] >= 0 and entry[0] not in hidden and entry[1] > 0]
        order = sorted(kept, key=lambda entry: (-entry[1], entry[0]))[:MOST]
        span = slice(listed.starts[number], listed.starts[number + 1])
        assert listed.items[span].tolist() == [entry[0] for entry in order]
        assert listed.weights[span].tolist() == [np.float32(entry[1]) for entry in order]
        assert int(listed.origins[number]) == sum(1 << origin for origin in {entry[2] for entry in each if entry[0] >= 0})
        top = max((entry[1] for entry in order if entry[1] != np.inf), default=0.0)
        for origin in dict.fromkeys(entry[2] for entry in each if entry[0] >= 0):
            first = [entry for entry in order[:PLACES] if entry[2] == origin]
            strength = [entry[1] / top if top and entry[1] != np.inf else 0.0 for entry in first]
            if first:
                brought.append(([number, origin], [entry[0] for entry in first], strength))
    assert sources.origin_of.tolist() == [each[0] for each in brought]
    for source, (_, items, strength) in enumerate(brought):
        span = slice(sources.starts[source], sources.starts[source + 1])
        assert sources.items[span].tolist() == items
        assert sources.because[span].tolist() == [item + 100 for item in items]
        np.testing.assert_allclose(sources.strength[span], strength, rtol=1e-6)


def test_the_sums_stand_around_the_tables_and_a_table_gives_the_row_of_the_first_person_with_any() -> None:
    sums = [
        (np.array([7, 8]), np.array([2, 1], dtype=np.float32), np.array([1, 2])),
        (np.array([9]),) * 3,
        (np.array([6]),) * 3,
    ]
    rows = np.array([[-1, -1], [4, -1], [5, 3]])
    of_persons, of_all = (list_table(items, items + 0.5, items * 0 + 2, items + 10) for items in (rows, rows[2:]))
    starts, entries = gather_lists(sums, 2, (of_persons, of_all), [0, 2, 1])
    assert starts.tolist() == [0, 2, 3, 5, 7, 8]
    assert entries.items.tolist() == [7, 8, 9, 5, 3, 5, 3, 6]
    assert entries.weights.tolist() == [2, 1, 9, 5.5, 3.5, 5.5, 3.5, 6]
    assert entries.origins.tolist() == [0, 0, 0, 2, 2, 2, 2, 0]
    assert entries.because.tolist() == [1, 2, 9, 15, 13, 15, 13, 6]
    starts, _ = gather_lists(sums, 2, (of_persons, of_all), [])
    assert starts.tolist() == [0, 2, 3, 3, 3, 4], "nobody is known, so nothing of a table is listed"


def made_facts(luck: np.random.Generator) -> KnownFacts:
    """Two items of which the last person did nothing; the first items have no category."""
    items = [np.sort(luck.choice(ITEMS, count, replace=False)) for count in (9, 4, 0)]
    starts = np.concatenate([[0], np.cumsum([len(each) for each in items])])
    pairs = int(starts[-1])
    last_ms = luck.integers(1_700_000_000_000, 1_790_000_000_000, pairs)
    return KnownFacts(
        luck.random((ITEMS, 2), dtype=np.float32),
        np.arange(ITEMS) // 4 - 1,
        luck.random((PERSONS, 2), dtype=np.float32),
        starts,
        np.concatenate(items).astype(np.int32),
        luck.integers(0, 4, (pairs, 3)).astype(np.float32),
        last_ms,
        last_ms * luck.integers(0, 2, pairs),
        ContextFacts(luck.integers(0, 2**32, 5), np.array([0, 3, 3, 5]), luck.integers(-127, 127, (ITEMS, 5), np.int8)),
    )


@settings(max_examples=150, deadline=None)
@given(
    lists=st.lists(ENTRIES, min_size=1, max_size=4),
    person=st.integers(-1, PERSONS - 1),
    given_item=st.integers(-1, ITEMS - 1),
    last=st.lists(st.integers(0, ITEMS - 1), max_size=6),
    numbers=st.sets(st.integers(0, ITEMS - 1)),
    is_stored=st.tuples(st.booleans(), st.booleans()),
    seed=st.integers(0, 99),
)
def test_the_columns_of_one_request_are_those_of_many(
    lists: list[Any],
    person: int,
    given_item: int,
    last: list[int],
    numbers: set[int],
    is_stored: tuple[bool, bool],
    seed: int,
) -> None:
    luck = np.random.default_rng(seed)
    facts, items = made_facts(luck), np.array(sorted(numbers), dtype=np.int64)
    plain = [[entry for entry in each if entry[1] != np.inf] for each in lists]
    starts, entries = gathered(plain)
    listed, _ = order_lists(starts, entries, np.zeros(len(entries.items), dtype=np.bool_), MOST, PLACES)
    ages = luck.random(len(last), dtype=np.float32) * 90_000
    contexts = np.array([luck.choice([-1, 0, 1, 2]), -1, luck.choice([-1, 3, 4])])
    question = LiveQuestion(
        person, 1_790_000_000_000, given_item, 3, np.array(last, dtype=np.int64), ages, int(luck.integers(24)), 6, contexts
    )
    of_items, of_person = (
        np.where(luck.random((rows, len(wanted))) < 0.3, np.nan, luck.random((rows, len(wanted))) * 1e12).astype(np.float32)
        if stored
        else None
        for stored, rows, wanted in zip(is_stored, (len(items), 1), (STORED_OF_ITEM, STORED_OF_PERSON), strict=True)
    )
    table = live_columns(listed, question, facts, items, (of_items, of_person))
    np.testing.assert_array_equal(table, _of_many(listed, question, facts, items, (of_items, of_person)))


def _of_many(listed: LiveLists, asked: LiveQuestion, facts: KnownFacts, items: Any, stored: tuple[Any, Any]) -> Any:
    matrices = [
        sparse.csr_matrix(
            (listed.weights[first:end], (np.zeros(end - first, dtype=np.int64), listed.items[first:end])), shape=(1, ITEMS)
        )
        for first, end in zip(listed.starts[:-1].tolist(), listed.starts[1:].tolist(), strict=True)
    ]
    ages = asked.last_ages_s
    who, at, given_item, count = (np.array([each]) for each in (asked.person, asked.asked_ms, asked.given, asked.given_count))
    ends = np.array([0, len(asked.last_items)])
    clock, contexts = np.array([[asked.hour, asked.weekday]]), asked.contexts[None, :]
    questions = Questions(who, at, given_item, count, ends, asked.last_items, ages, clock, contexts)
    pairs = RequestPairs(np.array([0, len(items)]), items)
    known = tuple(none if some is None else some for some, none in zip(stored, nothing_stored(questions, pairs), strict=True))
    return columns([Listed.of(each, MOST) for each in matrices], questions, facts, pairs, known)  # type: ignore[arg-type]
