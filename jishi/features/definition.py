"""What a feature is: one declaration from which every engine's form is derived.

Windows are aligned to the epoch and half-open, ``[end − size, end)`` in ``occurred_at``. A value with window end ``end`` can be
known from ``valid_from = end + allowed_lateness`` and holds until ``valid_until = valid_from + slide``; at any other time the
default holds. A feature without a window (``last_n``) changes with each event and holds until the next one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Entity = Literal["person", "item"]
ENTITY_COLUMN: dict[str, str] = {"person": "person_id", "item": "item_id"}


@dataclass(frozen=True)
class Feature:
    """One feature.

    ``event_types`` filters good (on-time, first-delivery) events; ``aggregation`` is ``count`` (int64, over a window) or
    ``last_n`` (list of ``column`` values, newest first, at most ``n``, in the order of the log). ``size_s`` and ``slide_s`` are
    seconds.
    """

    name: str
    meaning: str
    entity: Entity
    event_types: tuple[str, ...]
    aggregation: Literal["count", "last_n"]
    column: str = "item_id"
    n: int | None = None
    size_s: int | None = None
    slide_s: int | None = None
    default: int | tuple[()] = 0
    owner: str = "recommendations"

    def __post_init__(self) -> None:
        """Refuse a declaration that no engine could compute exactly."""
        if self.aggregation == "count":
            if not self.size_s or not self.slide_s or self.size_s % self.slide_s:
                raise ValueError(f"feature {self.name}: size_s must be a positive multiple of slide_s")
        elif not self.n or self.size_s or self.slide_s:
            raise ValueError(f"feature {self.name}: last_n needs n and takes no window")

    @property
    def view(self) -> str:
        """Feature view (and feature topic record) that carries it: features of one entity and window travel together."""
        if self.aggregation == "last_n":
            return f"{self.entity}_last_{self.n}"
        return f"{self.entity}_{self.size_s}s_{self.slide_s}s"
