"""What happened on one day, as it happened: the list that visits, friends and bots write into."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

PAGE_VIEWED = "page_viewed"


class Happening(NamedTuple):
    """One event before it has an id and a delivery. ``at_ms`` is when it occurred."""

    at_ms: int
    type: str
    anonymous_id: str | None
    user_id: str | None
    session_id: str | None
    context: dict[str, Any]
    properties: dict[str, Any]
    shopper: int = -1  # who really did it; bots come after the shoppers, the shop itself is -1


@dataclass
class Visitor:
    """Somebody during one visit: who they are to the storefront right now, and the clock of the visit."""

    shopper: int
    anonymous_id: str
    user_id: str | None
    session_id: str
    context: dict[str, Any]
    now_ms: int


@dataclass
class Journal:
    """Happenings of one day and the numbers that name sessions, orders and the rest; ``prefix`` keeps them apart by day."""

    prefix: str
    happenings: list[Happening] = field(default_factory=list)
    _numbers: dict[str, int] = field(default_factory=dict)

    def new_id(self, kind: str) -> str:
        """The next id of a kind, such as ``o003-17`` for an order of day 3."""
        number = self._numbers.get(kind, 0)
        self._numbers[kind] = number + 1
        return f"{kind}{self.prefix}-{number}"

    def record(self, visitor: Visitor, event_type: str, properties: dict[str, Any], at_ms: int | None = None) -> None:
        """Append an event of the visitor, now or at ``at_ms`` (milliseconds since the epoch, UTC)."""
        self.happenings.append(
            Happening(
                visitor.now_ms if at_ms is None else at_ms,
                event_type,
                visitor.anonymous_id,
                visitor.user_id,
                visitor.session_id,
                visitor.context,
                properties,
                visitor.shopper,
            )
        )

    def record_shop(self, event_type: str, properties: dict[str, Any], at_ms: int) -> None:
        """Append an event of the shop that concerns no person."""
        self.happenings.append(Happening(at_ms, event_type, None, None, None, {}, properties))
