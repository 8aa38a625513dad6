"""Rows that the marts of one build gave, for whoever asks the same again: a build never changes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from typing import Any, NamedTuple

from cachetools import LRUCache, cached

KEPT_CELLS = 1_000_000  # about 60 bytes each; the least recently asked go first


class KeptAnswer(NamedTuple):
    """Rows of a statement and the names of their columns."""

    names: tuple[str, ...]
    rows: list[tuple[Any, ...]]

    def as_dicts(self) -> list[dict[str, Any]]:
        """A dict for each row, made anew for each caller."""
        return [dict(zip(self.names, row, strict=True)) for row in self.rows]


class KeptAnswers:
    """Answers by what they depend on, the shop among it. Of those who ask the same at once, one reads and the others wait.

    What raises is kept for nobody.
    """

    def __init__(self, cells: int = KEPT_CELLS) -> None:
        kept: LRUCache[Hashable, KeptAnswer] = LRUCache(
            cells, getsizeof=lambda answer: 1 + len(answer.rows) * len(answer.names)
        )

        self._answer = cached(kept, key=lambda key, read: key, condition=threading.Condition())(lambda key, read: read())

    def get(self, key: Hashable, read: Callable[[], KeptAnswer]) -> KeptAnswer:
        """The answer of ``key``; ``read`` makes it where it is not kept. Raises what ``read`` raises."""
        result: KeptAnswer = self._answer(key, read)
        return result
