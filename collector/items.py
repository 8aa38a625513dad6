"""``PUT /v1/shops/{shop_id}/items``: a shop's items, each in its whole state, become ``item_changed`` events.

An item that is as it was known to be makes no event, so a shop may put its whole catalogue as often as it likes, and may send a
batch again when no answer came.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from collector.batch import Unreadable
from collector.catalogue import ShopCatalogues, digest_of
from jishi.contract.fields import parse_instant, to_ms
from jishi.contract.normal import BadId, with_normal_fields
from jishi.contract.properties import ItemChanged

_UNCHANGED = {
    "status": "unchanged",
    "reason": "unchanged",
    "field": None,
    "detail": "the item is known in this state; no event was made",
}


def item_events(
    items: list[Any],
    *,
    shop_id: str,
    catalogue: ShopCatalogues,
    now_ms: int,
    is_taken_over: Callable[[dict[str, Any]], bool],
) -> tuple[list[Any], list[dict[str, Any] | None]]:
    """Events of the items that changed, and for each item its answer where it makes none.

    ``changed_at`` of an item is when its state came about; left out it is now. Two states of one item never share their time.
    ``is_taken_over`` says whether the catalogue will take the state of an event over: what stands behind it in the batch is
    compared with such a one alone.
    """
    events: list[Any] = []
    answers: list[dict[str, Any] | None] = []
    newest: dict[str, tuple[int, str]] = {}
    states: list[Any] = [None if isinstance(item, Unreadable) else _state(item) for item in items]
    times_sent = Counter(map(_item_id, states))
    for item, properties in zip(items, states, strict=True):
        if isinstance(item, Unreadable):
            events.append(item)
            answers.append(None)
            continue
        item_id = _item_id(properties)
        if item_id is None:
            events.append(_event(shop_id, None, _iso(now_ms), properties))  # the contract says what is wrong
            answers.append(None)
            continue
        digest = digest_of(properties)
        known = catalogue.get(shop_id, item_id)
        at_ms, before = newest.get(item_id) or ((known.changed_at_ms, known.digest) if known else (-1, ""))
        if digest == before:
            answers.append({"event_id": None, "item_id": item_id, **_UNCHANGED})
            continue
        changed_at = item.get("changed_at")
        if changed_at is None:
            at_ms = max(now_ms, at_ms + 1)
            changed_at = _iso(at_ms)
        else:
            named_ms = _ms_or_none(changed_at)
            at_ms = at_ms if named_ms is None else named_ms
        event = _event(shop_id, f"item-{item_id[:150]}-{at_ms}-{digest}", changed_at, properties)
        if times_sent[item_id] > 1 and is_taken_over(event):
            newest[item_id] = (at_ms, digest)
        events.append(event)
        answers.append(None)
    return events, answers


def _state(item: Any) -> Any:
    """What the item says besides ``changed_at``, ids and numbers in their one form where they have one."""
    if not isinstance(item, dict):
        return item
    properties = {name: value for name, value in item.items() if name != "changed_at"}
    try:
        return with_normal_fields(properties, ItemChanged)
    except BadId:
        return properties  # the contract says what is wrong


def _item_id(properties: Any) -> str | None:
    item_id = properties.get("item_id") if isinstance(properties, dict) else None
    return item_id if isinstance(item_id, str) else None


def _event(shop_id: str, event_id: str | None, occurred_at: Any, properties: Any) -> dict[str, Any]:
    head = {"event_id": event_id} if event_id is not None else {}
    return head | {"shop_id": shop_id, "type": "item_changed", "occurred_at": occurred_at, "properties": properties}


def _iso(ms: int) -> str:
    return (
        (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ms))
        .isoformat(timespec="milliseconds")
        .replace("+00:00", "Z")
    )


def _ms_or_none(text: Any) -> int | None:
    try:
        return to_ms(parse_instant(text))
    except ValueError:
        return None
