"""Records of the decision log as serving writes them, and events that pages send about the answers."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from decision_log.topic import Landed, LogRecord

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


@dataclass
class ListedLog:
    """A log of one partition that is a list; ``records_after`` as of the topic."""

    records: list[LogRecord] = field(default_factory=list)
    lost: int = 0

    def put(self, line: Mapping[str, Any] | bytes, at: datetime, key: bytes | None = None) -> None:
        """One more record."""
        value = line if isinstance(line, bytes) else json.dumps(line).encode()
        named = f"{line['shop_id']}|{line['request_id']}".encode() if key is None and not isinstance(line, bytes) else key
        self.records.append(LogRecord(0, len(self.records), round(at.timestamp() * 1000), named, value))

    def records_after(self, landed: Mapping[int, Landed]) -> Iterable[list[LogRecord]]:
        """Those behind the last one that has landed, two at a time."""
        start = landed[0].offset + 1 if landed else 0
        left = self.records[start:]
        return [left[at : at + 2] for at in range(0, len(left), 2)]


def line(request_id: str, at: datetime, items: Iterable[str] = ("a", "b"), shop_id: str = "s1", **more: Any) -> dict[str, Any]:
    """A line of the log, of a list that nothing was left to chance of."""
    named = list(items)
    return {
        "request_id": request_id,
        "answered_at_ms": round(at.timestamp() * 1000),
        **{"shop_id": shop_id, "placement": "home", "limit": 20, "is_person_named": True, "is_opted_out": False},
        **{"item_id": None, "cart": [], "order": [], "exclude_purchased": None, "only": None, "excluded": []},
        "visit": {"channel": "wechat", "device": None, "place": "north"},
        **{"served_by": "personalised", "model": "als", "model_version": "0007", "items": named},
        **{"scores": [1.0] * len(named), "reasons": ["taste"] * len(named), "suppressed": {}},
        **{
            "rules_version": None,
            "touched_by_rules": {},
            "arm": "ranked",
            "propensity": 1.0,
            "exploration": None,
            "inputs": None,
        },
        **more,
    }


def explored(request_id: str, at: datetime, chances: Mapping[str, float], shown: str, **more: Any) -> dict[str, Any]:
    """A line of a list whose second place explored, with probability 0.2."""
    exploration = {"policy": "thompson", "slot": 1, "probability": 0.2, "eligible": dict(chances)}
    arm = {"arm": "explored", "propensity": 0.2 * chances[shown], "exploration": exploration}
    return line(request_id, at, ["a", shown], **{**arm, **more})


def event(kind: str, request_id: str, at: datetime, person: str, shop_id: str = "s1", **properties: Any) -> dict[str, Any]:
    """A row of silver/events about a list."""
    plain = at.replace(tzinfo=None)
    return {
        "shop_id": shop_id,
        "batch": f"live-{at:%Y-%m-%d}",
        "event_id": f"{kind}-{request_id}-{at.timestamp()}-{properties.get('item_id')}",
        "type": f"recommendation_{kind}",
        "person_id": person,
        **{"occurred_at": plain, "received_at": plain + timedelta(seconds=1), "occurred_date": plain.date(), "is_late": False},
        "line": json.dumps({"properties": {"request_id": request_id, "placement": "home", **properties}}),
    }


def shown(request_id: str, at: datetime, person: str = "u:1", items: Iterable[str] = ("a", "b"), **more: Any) -> dict[str, Any]:
    """A list that a page has shown."""
    return event("shown", request_id, at, person, item_ids=list(items), **more)


def clicked(request_id: str, at: datetime, item_id: str, person: str = "u:1", **more: Any) -> dict[str, Any]:
    """An item of a list that was clicked."""
    return event("clicked", request_id, at, person, item_id=item_id, **more)
