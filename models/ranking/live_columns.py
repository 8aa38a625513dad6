"""The columns of one live request, in one compiled pass: equal to what ``request_columns.columns`` makes of many requests."""

from __future__ import annotations

from typing import Any, NamedTuple

import numba
import numpy as np

from models.algorithms.recommender import Scores
from models.candidates.live_lists import LiveLists
from models.data.sequences import Numbers
from models.ranking.context_facts import COLUMNS as VISIT
from models.ranking.context_facts import fill_contexts
from models.ranking.known_facts import ITEM, PAIR, PERSON, KnownFacts, history
from models.ranking.listed import FAR, fill_row
from models.ranking.places import index_of
from models.ranking.request_columns import (
    INSTANTS_OF_ITEM,
    INSTANTS_OF_PERSON,
    STORED_OF_ITEM,
    STORED_OF_PERSON,
    of_last,
)

_PLAIN = len(PAIR) + len(ITEM) + len(PERSON) + 8 + len(STORED_OF_ITEM) + len(STORED_OF_PERSON) + len(VISIT)


class LiveQuestion(NamedTuple):
    """One row of ``Questions``: person (−1 for a stranger), epoch ms, newest given item (−1 for none) and how many there are,
    last items newest first with their ages in seconds, hour and weekday by the shop's clocks, columns of channel, device and
    place (``ContextFacts.columns_here``).
    """

    person: int
    asked_ms: int
    given: int
    given_count: int
    last_items: Numbers
    last_ages_s: Scores
    hour: int
    weekday: int
    contexts: Numbers


def live_columns(
    lists: LiveLists, asked: LiveQuestion, facts: KnownFacts, numbers: Numbers, stored: tuple[Scores | None, Scores | None]
) -> Scores:
    """The table (candidates, names), column by column in memory. ``stored``: features of each candidate, and of the person
    (1, features), as they are in the store; None for nothing.
    """
    of_items, of_person = stored
    table = np.empty((3 * (len(lists.starts) - 1) + 1 + _PLAIN, len(numbers)), dtype=np.float32)
    _fill_all(
        *lists[:3],
        numbers,
        *asked,
        facts.category,
        facts.item_logs,
        facts.person_logs,
        facts.starts,
        facts.items,
        facts.counts,
        facts.last_ms,
        facts.paid_ms,
        facts.contexts.keys,
        facts.contexts.lifts,
        _NOTHING if of_items is None else of_items,
        INSTANTS_OF_ITEM,
        _NOTHING if of_person is None else of_person,
        INSTANTS_OF_PERSON,
        table,
    )
    return table.T


_NOTHING = np.empty((0, 0), dtype=np.float32)


@numba.njit(cache=True, nogil=True)
def _fill_all(
    list_starts: Any,
    listed: Any,
    weights: Any,
    numbers: Any,
    person: Any,
    asked_ms: Any,
    given: Any,
    given_count: Any,
    last_items: Any,
    last_ages_s: Any,
    hour: Any,
    weekday: Any,
    contexts: Any,
    category: Any,
    item_logs: Any,
    person_logs: Any,
    fact_starts: Any,
    fact_items: Any,
    counts: Any,
    last_ms: Any,
    paid_ms: Any,
    context_keys: Any,
    lifts: Any,
    of_items: Any,
    instants_of_item: Any,
    of_person: Any,
    instants_of_person: Any,
    table: Any,
) -> None:
    lists, size = len(list_starts) - 1, len(numbers)
    rows, ends, slots = table.T, np.array([0, size]), index_of(numbers)
    named = 3 * lists
    table[: named + 6] = 0
    for number in range(lists):
        table[3 * number + 2] = np.float32(np.log1p(FAR))
        first, end = list_starts[number], list_starts[number + 1]
        fill_row(first, end, listed, weights, numbers, slots, rows[:, : named + 1], 3 * number)
    at = named + 1
    persons, asked = np.array([person]), np.array([asked_ms])
    history(persons, asked, ends, numbers, fact_starts, fact_items, counts, last_ms, paid_ms, rows[:, at : at + 5])
    at += 5
    for column in range(item_logs.shape[1]):
        for place in range(size):
            table[at + column, place] = item_logs[numbers[place], column]
    at += item_logs.shape[1]
    for column in range(person_logs.shape[1]):
        table[at + column] = person_logs[person, column] if person >= 0 else np.float32(0)
    at += person_logs.shape[1]
    last = np.zeros((size, 3), dtype=np.float32)
    of_last(np.array([0, len(last_items)]), last_items, last_ages_s, category, ends, numbers, last)
    given_kind = category[given] if given >= 0 else -1
    for place in range(size):
        table[at, place], table[at + 1, place] = last[place, 0], last[place, 1]
        table[at + 2, place] = 1 if given_kind >= 0 and category[numbers[place]] == given_kind else 0
        table[at + 3, place] = last[place, 2]
    table[at + 4], table[at + 5] = given_count, len(last_items)
    table[at + 6], table[at + 7] = hour, weekday
    at += 8
    for column in range(len(instants_of_item)):
        for place in range(size):
            table[at + column, place] = np.nan
            if len(of_items):
                table[at + column, place] = _seen(of_items[place, column], instants_of_item[column], asked_ms)
    at += len(instants_of_item)
    for column in range(len(instants_of_person)):
        table[at + column] = np.nan
        if len(of_person):
            table[at + column] = _seen(of_person[0, column], instants_of_person[column], asked_ms)
    at += len(instants_of_person)
    fill_contexts(contexts.reshape(1, -1), context_keys, lifts, ends, numbers, rows[:, at:])


@numba.njit(cache=True, nogil=True)
def _seen(value: Any, is_instant: bool, asked_ms: int) -> Any:
    """A feature as the trees see it: of an instant (epoch ms) the seconds since then."""
    return np.float32((asked_ms - np.float64(value)) / 1000) if is_instant else np.float32(value)
