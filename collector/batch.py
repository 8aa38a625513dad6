"""From the bytes of a request to records and the result of each; knows nothing of HTTP or disks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson

from collector.elements import cut_elements
from collector.recent_ids import RecentIds
from collector.refusals import RequestRefused
from jishi.contract import Record, Refusal, record_of
from jishi.contract.home_money import ShopMoney
from jishi.contract.reading import is_plain, kept_text, read_event
from jishi.contract.sender import OrderSource, Sender, sent_id


@dataclass(frozen=True)
class Checked:
    """A batch that will be accepted: records without their number yet, the answer for each, quarantined ones by reason."""

    records: list[Record]
    results: list[dict[str, Any]]
    quarantined: dict[str, int]

    def mark_repeated(self, recent: RecentIds) -> int:
        """Mark in the results which events were acknowledged before, in this batch or earlier; returns how many."""
        repeated = 0
        for record, result in zip(self.records, self.results, strict=True):
            event_id = record["event_id"]
            if record["invalid_reason"] is None and event_id is not None and recent.is_repeated(record["shop_id"], event_id):
                result.update(_REPEATED)
                repeated += 1
        return repeated


_REPEATED = {
    "status": "duplicate",
    "reason": "duplicate",
    "field": "event_id",
    "detail": "an event with this event_id was acknowledged before; both are kept and it counts once",
}


@dataclass(frozen=True)
class Unreadable:
    """An entry of a body that is no event: what could be read of its ``line``, and why it is refused."""

    value: Any
    refusal: Refusal
    line: str


def decode(body: bytes, max_events: int, what: str = "events") -> list[Any]:
    """The events (or items) of a body: an array, or ``{"events": [...]}``; an entry that cannot be read is an ``Unreadable``.

    Raises RequestRefused with 400, 413 or 422 for a body that is no such array.
    """
    body = body.removeprefix(b"\xef\xbb\xbf")  # a byte order mark says nothing in UTF-8
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        return _decode_apart(body, max_events, what)
    field, entries = "body", value
    if isinstance(value, dict):
        if what not in value:
            raise RequestRefused(422, "wrong_shape", what, f'put the {what} into an array, or into {{"{what}": [...]}}')
        field, entries = what, value[what]
        if not isinstance(entries, list):
            raise RequestRefused(422, "wrong_shape", what, f"{what} must be an array, not {_json_type(entries)}")
    if not isinstance(entries, list):
        raise RequestRefused(400, "not_an_array", field, f"send an array of {what}, not {_json_type(entries)}")
    if not entries:
        raise RequestRefused(422, "empty_batch", field, f"send at least one of {what}")
    if len(entries) > max_events:
        message = f"{len(entries)} {what} in one request; send at most {max_events} and split the rest"
        raise RequestRefused(413, "too_many_events", field, message)
    return entries if is_plain(body, value) else _decode_apart(body, max_events, what)


def _decode_apart(body: bytes, max_events: int, what: str) -> list[Any]:
    entries: list[Any] = []
    for text in cut_elements(body, what, max_events):
        value, refusal = read_event(text.strip())
        entries.append(value if refusal is None else Unreadable(value, refusal, kept_text(text.strip())))
    if not entries:
        raise RequestRefused(422, "empty_batch", "body", f"send at least one of {what}")
    return entries


def check_batch(
    events: list[Any],
    *,
    shop_id: str,
    collector_id: str,
    collected_at_ms: int,
    sent_by: Sender = "server",
    orders_from: OrderSource = "server",
    money: ShopMoney | None = None,
) -> Checked:
    """Records and answers of a batch of ``shop_id``.

    Raises RequestRefused with 403 when every event names another shop: that is a mix-up of keys, which must not end in
    quarantine, event by event.
    """
    foreign = [event.get("shop_id") if type(event) is dict else None for event in events]
    if all(type(named) is str and named != shop_id for named in foreign):
        message = f"the events name another shop than {shop_id!r}, whose key this is; use that shop's own key"
        raise RequestRefused(403, "foreign_shop", "events[0].shop_id", message, index=0)
    records: list[Record] = []
    results: list[dict[str, Any]] = []
    quarantined: dict[str, int] = {}
    for event in events:
        unreadable = event if isinstance(event, Unreadable) else None
        record, checked = record_of(
            unreadable.value if unreadable else event,
            shop_id=shop_id,
            collector_id=collector_id,
            seq=-1,
            collected_at_ms=collected_at_ms,
            line=unreadable.line if unreadable else orjson.dumps(event).decode(),
            refusal=unreadable.refusal if unreadable else None,
            now_ms=collected_at_ms,
            sent_by=sent_by,
            orders_from=orders_from,
            money=money,
        )
        records.append(record)
        if isinstance(checked, Refusal):
            quarantined[checked.reason] = quarantined.get(checked.reason, 0) + 1
            results.append(_result(record, "quarantined", checked.reason, checked.field, checked.detail))
        else:
            results.append(_result(record, "accepted", None, None, None))
    return Checked(records, results, quarantined)


def _result(record: Record, status: str, reason: str | None, field: str | None, detail: str | None) -> dict[str, Any]:
    return {"event_id": sent_id(record["event_id"]), "status": status, "reason": reason, "field": field, "detail": detail}


def _json_type(value: Any) -> str:
    names = {bool: "a boolean", int: "a number", float: "a number", str: "a string", dict: "an object", type(None): "null"}
    return names.get(type(value), "an array")
