"""Ids by number and numbers by id, without an object for each: a million are their letters, four bytes each for where they
begin and eight each for the table that finds them. The letters are those of the mapped file, which all workers share.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import accumulate
from typing import Any, overload

import numba
import numpy as np
import pyarrow as pa

_AT_ONCE = 2_000  # ids that are made strings before other threads have a turn: serving loads a release beside its requests
_PRIME = 2**31 - 1
_EMPTY = -1


class RepeatedId(ValueError):
    """An id is there twice; the message names it."""


class Ids(Sequence[str]):
    """Ids, each there once, numbered from 0."""

    def __init__(self, strings: pa.StringArray) -> None:
        """Raises RepeatedId. ``strings`` has no nulls and is valid."""
        self._strings = strings
        _, starts, letters = strings.buffers()
        self._starts = np.frombuffer(starts, np.int32, len(strings) + 1, 4 * strings.offset) if len(strings) else _NONE
        self._letters = np.frombuffer(letters, np.uint8) if letters is not None and letters.size else _NO_LETTERS
        # Visitors choose their ids. With a secret key nobody can choose many that fall on one place.
        self._key = 2**16 + secrets.randbelow(_PRIME - 2**17)
        self._table = np.full(2 ** max(1, (2 * len(strings)).bit_length()), _EMPTY, dtype=np.int32)
        twice = _fill(self._table, self._starts, self._letters, self._key)
        if twice != _EMPTY:
            raise RepeatedId(f"{self[twice]!r} is there twice")

    @classmethod
    def of(cls, ids: Iterable[str]) -> Ids:
        """From strings. Raises RepeatedId."""
        return cls(pa.array(ids if isinstance(ids, list) else list(ids), pa.string()))

    def __len__(self) -> int:
        return len(self._strings)

    @overload
    def __getitem__(self, number: int) -> str: ...

    @overload
    def __getitem__(self, number: slice) -> list[str]: ...

    def __getitem__(self, number: int | slice) -> str | list[str]:
        if isinstance(number, slice):
            return [self[each] for each in range(*number.indices(len(self)))]
        size = len(self)
        if not -size <= number < size:
            raise IndexError(f"there are {size} ids, none has the number {number}")
        place = number % size
        return self._letters[self._starts[place] : self._starts[place + 1]].tobytes().decode()

    def __iter__(self) -> Iterator[str]:
        for first in range(0, len(self), _AT_ONCE):
            yield from self._strings.slice(first, _AT_ONCE).to_pylist()

    def find(self, wanted: str) -> int:
        """The number of an id; −1 where it is not there."""
        # What is no Unicode text, half of a pair say, is found nowhere.
        letters = wanted.encode("utf-8", "surrogatepass")
        number: int = _find(letters, self._table, self._starts, self._letters, self._key)
        return number

    @property
    def numbers(self) -> NumberOfId:
        """Numbers by id."""
        return NumberOfId(self)

    def find_all(self, wanted: Sequence[str]) -> list[int]:
        """The number of each of some ids; −1 for those that are not there."""
        letters = [each.encode("utf-8", "surrogatepass") for each in wanted]
        ends = np.array(list(accumulate(map(len, letters))), dtype=np.int64)
        numbers: list[int] = _find_all(b"".join(letters), ends, self._table, self._starts, self._letters, self._key).tolist()
        return numbers


class NumberOfId(Mapping[str, int]):
    """``Ids`` the other way round."""

    def __init__(self, ids: Ids) -> None:
        self._ids = ids

    def __len__(self) -> int:
        return len(self._ids)

    def __iter__(self) -> Iterator[str]:
        return iter(self._ids)

    def __getitem__(self, wanted: str) -> int:
        number = self._ids.find(wanted)
        if number < 0:
            raise KeyError(wanted)
        return number

    def __contains__(self, wanted: object) -> bool:
        return isinstance(wanted, str) and self._ids.find(wanted) >= 0

    def of_all(self, wanted: Sequence[str]) -> list[int]:
        """The number of each of some ids, at once; −1 for those that are not there."""
        return self._ids.find_all(wanted)

    def get(self, wanted: str, default: Any = None) -> Any:
        """The number, or ``default``."""
        number = self._ids.find(wanted)
        return default if number < 0 else number


_NONE, _NO_LETTERS = np.zeros(1, dtype=np.int32), np.zeros(1, dtype=np.uint8)


@numba.njit(cache=True, nogil=True, inline="always")
def _place(letters: Any, first: int, end: int, key: int) -> int:
    """A polynomial of the letters in ``key``, modulo 2³¹ − 1 (Carter and Wegman 1979): two ids of n letters collide for at most
    n of its keys.
    """
    value = np.uint64(end - first)
    for each in range(first, end):
        value = value * np.uint64(key) + np.uint64(letters[each]) + np.uint64(1)
        value = (value & np.uint64(_PRIME)) + (value >> np.uint64(31))
        value = (value & np.uint64(_PRIME)) + (value >> np.uint64(31))
    return np.int64(value)  # type: ignore[return-value]  # of numba, where it is a plain number


@numba.njit(cache=True, nogil=True, inline="always")
def _is(letters: Any, first: int, end: int, wanted: Any, begin: int, stop: int) -> bool:
    if end - first != stop - begin:
        return False
    same = True
    for each in range(end - first):
        same &= letters[first + each] == wanted[begin + each]
    return same


@numba.njit(cache=True, nogil=True)
def _fill(table: Any, starts: Any, letters: Any, key: int) -> int:
    """Put the numbers into the table, each at the first free place from that of its id; the number of an id that is there
    already, or −1.
    """
    last = len(table) - 1
    for number in range(len(starts) - 1):
        first, end = starts[number], starts[number + 1]
        place = _place(letters, first, end, key) & last
        while table[place] != _EMPTY:
            other = table[place]
            if _is(letters, first, end, letters, starts[other], starts[other + 1]):
                return number
            place = (place + 1) & last
        table[place] = number
    return _EMPTY


# Without letting other threads go on: it is over sooner than they would give the interpreter back.
@numba.njit(cache=True)
def _find(wanted: Any, table: Any, starts: Any, letters: Any, key: int) -> int:
    return _number_of(wanted, 0, len(wanted), table, starts, letters, key)


@numba.njit(cache=True)
def _find_all(wanted: Any, ends: Any, table: Any, starts: Any, letters: Any, key: int) -> Any:
    numbers = np.empty(len(ends), dtype=np.int64)
    first = 0
    for each in range(len(ends)):
        numbers[each] = _number_of(wanted, first, ends[each], table, starts, letters, key)
        first = ends[each]
    return numbers


@numba.njit(cache=True, inline="always")
def _number_of(wanted: Any, first: int, end: int, table: Any, starts: Any, letters: Any, key: int) -> int:
    last = len(table) - 1
    place = _place(wanted, first, end, key) & last
    while table[place] != _EMPTY:
        number = table[place]
        if _is(letters, starts[number], starts[number + 1], wanted, first, end):
            return int(number)
        place = (place + 1) & last
    return _EMPTY
