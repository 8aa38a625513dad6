"""How a request's channel, device and place bear on an item: the frequent ones of a shop, and how many more persons than
elsewhere act upon the item there.

Which of the three say anything of items is asked of the persons: what one part of them acts upon more often by a value, the
others must, too (``bears_on_items``). One that says nothing would only tell persons apart, and trees would learn their luck.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self
from zlib import crc32

import numba
import numpy as np
import numpy.typing as npt

from models.algorithms.recommender import State
from models.data.act_contexts import CONTEXT, UNKNOWN, plain_text
from models.data.interactions import Interactions
from models.data.sequences import Numbers, distinct

COLUMNS = (*CONTEXT, *(f"{name}_lift" for name in CONTEXT))
MOST_VALUES, LEAST_PAIRS = 16, 20  # of each of ``CONTEXT``: so many, of so many pairs of person and item; others are unknown
GROUPS, LUCK = 16, 1 / 1000  # of persons; how often chance alone may pass for a bearing on items
LEAST_BEARING = 0.2  # relative: so much more or fewer persons by a value, in root mean square over items
_MOST_COUNTED = 4 * MOST_VALUES  # by acts; whoever sends events may send any number of values
_MOST_ASKED = 5_000  # items, those of most persons
_STEPS = 16  # of a lift's unit
_PRIOR_PERSONS = 20.0  # so many persons of the shop's shares count beside an item's own
_STATE = ("context_keys", "context_starts", "context_lifts")


@dataclass(frozen=True)
class ContextFacts:
    """Of ``CONTEXT`` k the values ``keys[starts[k]:starts[k + 1]]``, the most frequent first, by the CRC-32 of their text.

    ``lifts`` (items, values), int8: sixteenths of the log of an item's share of persons with the value over the shop's.
    """

    keys: Numbers
    starts: Numbers
    lifts: npt.NDArray[np.int8]

    @classmethod
    def nothing(cls, items: int) -> Self:
        """No value is known."""
        return cls(np.empty(0, np.int64), np.zeros(len(CONTEXT) + 1, np.int64), np.empty((items, 0), np.int8))

    @classmethod
    def of(cls, acts: Interactions) -> Self:
        """What the acts say."""
        items = len(acts.item_ids)
        if acts.contexts is None:
            return cls.nothing(items)
        numbers, keys, lifts = acts.contexts.numbers, [], []
        for kind in range(len(CONTEXT)):
            values, code = _most_counted(numbers[:, kind], acts.contexts.values)
            person, item, value = _distinct(acts.person, acts.item, code)
            counts = np.bincount(value, minlength=len(values))
            frequent = sorted(np.flatnonzero(counts >= LEAST_PAIRS).tolist(), key=lambda each: (-counts[each], values[each]))
            place = np.full(len(values), UNKNOWN)
            place[frequent[:MOST_VALUES]] = range(len(frequent[:MOST_VALUES]))
            some = place[value] >= 0
            if not bears_on_items(person[some], item[some], place[value[some]]):
                frequent = []
            keys.append([_key(values[each]) for each in frequent[:MOST_VALUES]])
            lifts.append(_lifts(item, value, frequent[:MOST_VALUES], items))
        starts = np.cumsum([0, *(len(each) for each in keys)])
        return cls(np.array([key for each in keys for key in each], np.int64), starts, np.concatenate(lifts, axis=1))

    def columns_of(self, texts: Sequence[str | None]) -> Numbers:
        """Of each text its column of ``lifts`` as each of ``CONTEXT``, −1 for none: (texts, ``CONTEXT``)."""
        known = [plain_text(text) for text in texts]
        rows = [
            [UNKNOWN if text is None else self._column_of.get((kind, _key(text)), UNKNOWN) for kind in range(len(CONTEXT))]
            for text in known
        ]
        return np.array(rows, dtype=np.int64).reshape(-1, len(CONTEXT))

    def columns_here(self, texts: Sequence[str | None]) -> Numbers:
        """The same of one request, which has one text for each of ``CONTEXT``."""
        if not any(texts) or not len(self.keys):
            return _NOWHERE
        return np.diagonal(self.columns_of(texts)).copy()

    def state(self) -> State:
        """Arrays by name; none where no value is known."""
        return dict(zip(_STATE, (self.keys, self.starts, self.lifts), strict=True)) if len(self.keys) else {}

    @classmethod
    def from_state(cls, state: State, items: int) -> Self:
        """Take over arrays. Raises ValueError where they are not those of so many items."""
        if not set(_STATE) & set(state):
            return cls.nothing(items)
        keys, starts, lifts = (state[name] for name in _STATE)
        is_whole = starts.shape == (len(CONTEXT) + 1,) and starts[0] == 0 and bool((np.diff(starts) >= 0).all())
        is_whole = is_whole and keys.shape == (starts[-1],) and lifts.shape == (items, starts[-1]) and lifts.dtype == np.int8
        if not is_whole:
            raise ValueError(f"what is known of channels, devices and places is not that of {items} items")
        return cls(keys.astype(np.int64), starts.astype(np.int64), lifts.astype(np.int8, copy=False))

    @cached_property
    def _column_of(self) -> dict[tuple[int, int], int]:
        kinds = np.repeat(np.arange(len(CONTEXT)), np.diff(self.starts)).tolist()
        return {each: column for column, each in enumerate(zip(kinds, self.keys.tolist(), strict=True))}


_NOWHERE = np.full(len(CONTEXT), UNKNOWN, dtype=np.int64)


def _key(text: str) -> int:
    return crc32(text.encode())


def _most_counted(numbers: npt.NDArray[np.int32], values: Sequence[str]) -> tuple[list[str], Numbers]:
    """The values that most acts have, and the number of each act's among them, −1 for none."""
    counts = np.bincount(numbers[numbers >= 0], minlength=len(values))
    most = [each for each in np.argsort(-counts, kind="stable")[:_MOST_COUNTED].tolist() if counts[each]]
    code = np.full(len(values) + 1, UNKNOWN, dtype=np.int64)
    code[most] = range(len(most))
    return [values[each] for each in most], code[numbers]


def _distinct(person: Numbers, item: Numbers, value: Numbers) -> tuple[Numbers, Numbers, Numbers]:
    """Each person, item and known value once: how often a person comes back says nothing of others."""
    known = value >= 0
    if not known.any():
        return person[known], item[known], value[known]
    shape = tuple(int(each.max()) + 1 for each in (person, item, value))
    pairs = distinct(np.ravel_multi_index((person[known], item[known], value[known]), shape))
    person, item, value = np.unravel_index(pairs, shape)
    return person, item, value


def bears_on_items(person: Numbers, item: Numbers, value: Numbers) -> bool:
    """Whether the value of a visit says anything of what is acted upon in it, beside who acts; of distinct triples.

    Persons fall into ``GROUPS``. Of each, how many more persons act upon an item by a value than by the group's shares is
    multiplied with the same of every other group: independent persons agree by chance as often as they disagree, however alike
    the items of one person are. A group's signs may then be turned over without harm, so that of all ways to turn them only
    ``LUCK`` may agree as well as the truth. Some shoppers are two persons, before and after login, who agree for certain, so
    that a difference under ``LEAST_BEARING`` is none.
    """
    if len(value) == 0:
        return False
    asked = np.argsort(-np.bincount(item), kind="stable")[:_MOST_ASKED]
    place = np.full(int(item.max()) + 1, -1)
    place[asked] = np.arange(len(asked))
    kept = place[item] >= 0
    group = (person[kept].astype(np.uint64) * _SCATTER >> np.uint64(60)).astype(np.int64)  # the first four bits
    shape = (GROUPS, len(asked), int(value.max()) + 1)
    counts = np.bincount(np.ravel_multi_index((group, place[item[kept]], value[kept]), shape), minlength=np.prod(shape))
    counts = counts.reshape(shape).astype(np.float64)
    of_item, of_value = counts.sum(axis=2), counts.sum(axis=1)
    share = of_value / np.maximum(of_value.sum(axis=1, keepdims=True), 1)
    odd = counts - of_item[:, :, None] * share[:, None, :]
    odd /= np.sqrt(np.maximum(of_item.sum(axis=0), 1))[:, None] * np.sqrt(np.maximum(of_value.sum(axis=0), 1) / len(group))
    products = odd.reshape(GROUPS, -1) @ odd.reshape(GROUPS, -1).T
    np.fill_diagonal(products, 0)
    signs = 1 - 2 * (np.arange(2 ** (GROUPS - 1))[:, None] >> np.arange(GROUPS) & 1)
    agreement = ((signs @ products) * signs).sum(axis=1)
    every = np.maximum(of_item.sum(axis=0), 1)
    largest = (every - (of_item**2).sum(axis=0) / every).sum()  # what values that double or forbid an item would come to
    if agreement[0] < LEAST_BEARING**2 * max(float(largest), 1):
        return False
    return bool((agreement >= agreement[0] * (1 - 1e-9)).mean() <= LUCK)


_SCATTER = np.uint64(0x9E3779B97F4A7C15)  # 2^64 over the golden ratio: neighbouring numbers fall far apart


def _lifts(item: Numbers, value: Numbers, frequent: list[int], items: int) -> npt.NDArray[np.int8]:
    """``lifts`` of some values over distinct triples."""
    persons = np.bincount(item, minlength=items)
    lifts = np.empty((items, len(frequent)), dtype=np.int8)
    for column, each in enumerate(frequent):
        with_value = np.bincount(item[value == each], minlength=items)
        share = with_value.sum() / len(item)
        lift = np.log((with_value + _PRIOR_PERSONS * share) / ((persons + _PRIOR_PERSONS) * share))
        lifts[:, column] = np.clip(np.rint(_STEPS * lift), -127, 127)
    return lifts


@numba.njit(cache=True, nogil=True)
def fill_contexts(contexts: Any, keys: Any, lifts: Any, pair_starts: Any, pair_items: Any, table: Any) -> None:
    """``COLUMNS`` of each pair: the row's value, a number below 1 that follows from its text, and the item's lift there."""
    kinds = contexts.shape[1]
    for row in range(len(contexts)):
        for kind in range(kinds):
            column = contexts[row, kind]
            for at in range(pair_starts[row], pair_starts[row + 1]):
                if column < 0:
                    table[at, kind], table[at, kinds + kind] = np.nan, np.nan
                else:
                    table[at, kind] = np.float32(keys[column] / 4294967296.0)
                    table[at, kinds + kind] = np.float32(lifts[pair_items[at], column]) / np.float32(_STEPS)
