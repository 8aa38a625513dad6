"""What a feature is: one declaration from which every engine's form is derived.

Windows are aligned to the epoch and half-open, ``[end − size, end)`` in ``occurred_at``. A value with window end ``end`` can be
known from ``valid_from = end + allowed_lateness`` and holds until ``valid_until = valid_from + slide``; at any other time the
default holds. A running feature (``last_n``, ``last``, ``first_seen``) has no window: it changes with each event, in the order
of the log, and holds until the next one. Only good events count: valid, on time, first delivery.

| aggregation | value over the acts that the feature takes | type |
|---|---|---|
| ``count`` | how many | int64 |
| ``sum``, ``min``, ``max`` | of an integer column, empty ones left out | int64 |
| ``distinct`` | different values of a column, compared byte by byte | int64 |
| ``mean`` | sum and count as integers, then one IEEE 754 division of both as doubles | double |
| ``seconds_since`` | whole seconds from the last act to the end of the window | int64 |
| ``ratio`` | one integer feature divided by another, as ``mean``; the default where the divisor is 0 | double |
| ``last_n`` | the column of the last ``n`` acts that have one, newest first | list |
| ``last`` | the column of the last act that has one | the column's |
| ``first_seen`` | epoch milliseconds of the earliest act known so far | int64 |
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from jishi.features.act import COLUMNS
from jishi.features.entity import Entity

Aggregation = Literal[
    "count", "sum", "min", "max", "distinct", "mean", "seconds_since", "ratio", "last_n", "last", "first_seen"
]
Default = int | float | str | tuple[()] | None
RUNNING = frozenset({"last_n", "last", "first_seen"})


@dataclass(frozen=True)
class Where:
    """A condition on a column of an act: it has a value at all (``one_of`` and ``at_least`` None), is ``one_of`` some, or is
    ``at_least`` a number. An act without a value never meets it.
    """

    column: str
    one_of: tuple[int | str, ...] | None = None
    at_least: int | None = None

    def is_met(self, act: Mapping[str, Any]) -> bool:
        """Whether an act meets the condition."""
        value = act[self.column]
        if value is None:
            return False
        if self.one_of is not None and value not in self.one_of:
            return False
        return self.at_least is None or value >= self.at_least


@dataclass(frozen=True)
class Declaration:
    """One feature as it is written down, not yet checked (``jishi.features.definition.Feature`` is).

    ``acts`` (kinds of ``jishi.features.act``) and ``where`` say which acts of the entity count; ``column`` is what is
    aggregated. ``size_s`` and ``slide_s`` are seconds. A ratio names two other features of its entity and slide instead; its
    window is the longer of theirs, and where they differ ``short_size_s`` is the shorter one. ``is_live`` puts the feature
    into the real-time job; others come from the backfill only.
    """

    name: str
    meaning: str
    entity: Entity
    aggregation: Aggregation
    acts: tuple[str, ...] = ()
    where: tuple[Where, ...] = ()
    column: str | None = None
    n: int | None = None
    size_s: int | None = None
    slide_s: int | None = None
    numerator: str | None = None
    denominator: str | None = None
    short_size_s: int | None = None
    default: Default = 0
    owner: str = "recommendations"
    is_live: bool = True

    @property
    def is_running(self) -> bool:
        """Whether the value changes with each event instead of with the end of a window."""
        return self.aggregation in RUNNING

    @property
    def value_type(self) -> str:
        """``int64``, ``double``, ``string``, ``list<string>`` or ``list<int64>``."""
        if self.aggregation in ("mean", "ratio"):
            return "double"
        if self.aggregation == "last_n":
            return f"list<{COLUMNS[self.column or '']}>"
        return COLUMNS[self.column or ""] if self.aggregation == "last" else "int64"

    @property
    def size(self) -> int:
        """``size_s`` of a feature that has a window. Raises ValueError for one that has none."""
        if self.size_s is None:
            raise ValueError(f"feature {self.name} has no window")
        return self.size_s

    @property
    def slide(self) -> int:
        """``slide_s`` of a feature that has a window. Raises ValueError for one that has none."""
        if self.slide_s is None:
            raise ValueError(f"feature {self.name} has no window")
        return self.slide_s

    @property
    def view(self) -> str:
        """Feature view (and feature topic record) that carries it: features of one entity and window travel together."""
        if self.aggregation == "last_n":
            of_column = "" if self.column == "item_id" else f"_{self.column}"
            return f"{self.entity}_last_{self.n}{of_column}"
        if self.aggregation == "last":
            return f"{self.entity}_{self.name}"
        if self.aggregation == "first_seen":
            return f"{self.entity}_{self.name}"
        short = f"{self.short_size_s}s_" if self.short_size_s else ""
        return f"{self.entity}_{short}{self.size}s_{self.slide}s"

    def takes(self, act: Mapping[str, Any]) -> bool:
        """Whether an act (of the right entity) counts for this feature."""
        return act["kind"] in self.acts and all(condition.is_met(act) for condition in self.where)
