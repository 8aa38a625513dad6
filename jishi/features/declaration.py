"""What a feature is: one declaration from which every engine's form is derived.

Windows are aligned to the epoch and half-open, ``[end − size, end)`` in ``occurred_at``. A value with window end ``end`` can be
known from ``valid_from = end + allowed_lateness`` and holds until ``valid_until = valid_from + slide``; at any other time the
default holds. ``offset_s`` moves the window back: ``[end − offset − size, end − offset)``. A running feature (``last_n``,
``last``, ``first_seen``) has no window: it changes with each event, in the order of the log, and holds until the next one. A
derived feature (``ratio``, ``age``, ``unique``) is stored nowhere: it is computed at the decision, in training as in serving,
from stored ones (``jishi.features.decision``). Only good events count: valid, on time, first delivery.

| aggregation | value over the acts that the feature takes | type |
|---|---|---|
| ``count`` | how many | int64 |
| ``sum``, ``min``, ``max`` | of an integer column, empty ones left out; a sum stays within ±(2^63 − 1) | int64 |
| ``distinct`` | different values of a column, compared byte by byte | int64 |
| ``values`` | those values themselves, sorted | list |
| ``mean`` | sum and count as integers, then one IEEE 754 division of both as doubles | double |
| ``last_n`` | the column of the last ``n`` acts that have one, newest first | list |
| ``last`` | the column of the last act that has one | the column's |
| ``first_seen`` | epoch milliseconds of the earliest act known so far | int64 |
| ``ratio`` | one integer feature divided by another, smoothed towards the shop's where there is a ``prior`` | double |
| ``age`` | whole seconds from the instant that another feature holds (epoch ms) to the decision; at least 0 | int64 |
| ``unique`` | the different entries of a ``last_n``, each where it comes first: newest first | list |

Features of a person are computed for each id that events name, and an event counts for one id
(``jishi.identity.named_person``). How the values of two ids become the person's says ``jishi.features.merging``; where that
takes more than the two values, a feature beside it holds the rest: ``<name>_values`` of a ``distinct``, and
``<name>_known_ms`` of a ``last_n``, which is a ``last_n`` with ``times_of``: when each of its entries became known.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from jishi.features.act import COLUMNS
from jishi.features.entity import Entity

Aggregation = Literal[
    "count", "sum", "min", "max", "distinct", "values", "mean", "last_n", "last", "first_seen", "ratio", "age", "unique"
]
Default = int | float | str | tuple[()] | None
RUNNING = frozenset({"last_n", "last", "first_seen"})
DERIVED = frozenset({"ratio", "age", "unique"})


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
    aggregated. ``size_s``, ``slide_s`` and ``offset_s`` are seconds. A ratio names two other features of its entity and slide
    instead, and as its ``prior`` a ratio of the shop that counts as ``prior_weight`` more of the denominator; one
    that ``is_share`` is 1 at most, although more may have been reported. An age and a unique list name another feature as
    their ``source``. ``is_live`` puts the feature into the real-time job; others come from
    the backfill only. ``times_of`` names the ``last_n`` whose times this one holds. ``unit`` is ``home_minor`` for money:
    minor units of the shop's home currency.
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
    offset_s: int = 0
    numerator: str | None = None
    denominator: str | None = None
    prior: str | None = None
    prior_weight: int = 0
    is_share: bool = False
    source: str | None = None
    times_of: str | None = None
    unit: str | None = None
    default: Default = 0
    owner: str = "recommendations"
    is_live: bool = True

    @property
    def is_running(self) -> bool:
        """Whether the value changes with each event instead of with the end of a window."""
        return self.aggregation in RUNNING

    @property
    def is_derived(self) -> bool:
        """Whether the value is computed at the decision and stored nowhere."""
        return self.aggregation in DERIVED

    @property
    def value_type(self) -> str:
        """``int64``, ``double``, ``string``, ``list<string>`` or ``list<int64>``."""
        if self.aggregation in ("mean", "ratio"):
            return "double"
        if self.times_of:
            return "list<int64>"
        if self.aggregation == "unique":
            return "list<string>"
        if self.aggregation in ("last_n", "values"):
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
        """Feature view (and feature topic record) that carries it: features of one entity and window travel together.

        Raises ValueError for a derived feature, which none carries.
        """
        if self.is_derived:
            raise ValueError(f"feature {self.name} is computed at the decision, no view carries it")
        if self.aggregation == "last_n":
            column = self.where[0].column if self.times_of else self.column  # times travel with their entries
            of_column = "" if column == "item_id" else f"_{column}"
            return f"{self.entity}_last_{self.n}{of_column}"
        if self.is_running:
            return f"{self.entity}_{self.name.removeprefix(f'{self.entity}_')}"
        ago = f"_{self.offset_s}s_ago" if self.offset_s else ""
        return f"{self.entity}_{self.size}s_{self.slide}s{ago}"

    def takes(self, act: Mapping[str, Any]) -> bool:
        """Whether an act (of the right entity) counts for this feature."""
        return act["kind"] in self.acts and all(condition.is_met(act) for condition in self.where)
