"""What the collector filled in: the field ``filled``, and the event as the storefront sent it.

Where an event leaves out the category or the price, the collector puts in what the catalogue said at that time and names it:
``"filled": {"category": "absent", "unit_price_minor": "null"}`` in the properties, or in the order line. So every engine
computes from the same bytes, and nothing is hidden: ``unfilled`` gives back what was sent.
"""

from __future__ import annotations

from typing import Any, Literal

FilledField = Literal["category", "unit_price_minor"]
Filled = dict[FilledField, Literal["absent", "null"]]


def unfilled(event: dict[str, Any]) -> dict[str, Any]:
    """The event without what was filled in; itself when nothing was."""
    properties = event.get("properties")
    if not isinstance(properties, dict):
        return event
    lines = properties.get("lines")
    before = _without(properties)
    if isinstance(lines, list) and any(isinstance(line, dict) and "filled" in line for line in lines):
        before = {**before, "lines": [_without(line) if isinstance(line, dict) else line for line in lines]}
    return event if before is properties else {**event, "properties": before}


def _without(part: dict[str, Any]) -> dict[str, Any]:
    filled = part.get("filled")
    if not isinstance(filled, dict):
        return part
    kept = {name: value for name, value in part.items() if name != "filled" and filled.get(name) != "absent"}
    return {name: None if filled.get(name) == "null" else value for name, value in kept.items()}
