"""From the bytes of a request to records and the result of each; knows nothing of HTTP or disks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson

from collector.recent_ids import RecentIds
from collector.refusals import RequestRefused
from jishi.contract import Record, Refusal, record_of


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


def decode(body: bytes, max_events: int, what: str = "events") -> list[Any]:
    """The events (or items) of a body: an array, or ``{"events": [...]}``. Raises RequestRefused with 400, 413 or 422."""
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        where = f"line {error.lineno} column {error.colno}"
        message = f"the body is not JSON ({where}); send a UTF-8 JSON array of {what}"
        raise RequestRefused(400, "malformed_json", "body", message) from None
    field = "body"
    if isinstance(value, dict):
        if what not in value:
            raise RequestRefused(422, "wrong_shape", what, f'put the {what} into an array, or into {{"{what}": [...]}}')
        field, value = what, value[what]
        if not isinstance(value, list):
            raise RequestRefused(422, "wrong_shape", what, f"{what} must be an array, not {_json_type(value)}")
    if not isinstance(value, list):
        raise RequestRefused(400, "not_an_array", field, f"send an array of {what}, not {_json_type(value)}")
    if not value:
        raise RequestRefused(422, "empty_batch", field, f"send at least one of {what}")
    if len(value) > max_events:
        message = f"{len(value)} {what} in one request; send at most {max_events} and split the rest"
        raise RequestRefused(413, "too_many_events", field, message)
    return value


def check_batch(events: list[Any], *, shop_id: str, collector_id: str, collected_at_ms: int) -> Checked:
    """Records and answers of a batch of ``shop_id``.

    Raises RequestRefused with 403 when an event names another shop (a mix-up of keys must not end in quarantine, event by
    event), and with 422 when an event is nested too deep to be written down.
    """
    for index, event in enumerate(events):
        if type(event) is dict:
            named = event.get("shop_id")
            if type(named) is str and named != shop_id:
                message = f"event {index} names another shop than {shop_id!r}, whose key this is; use that shop's own key"
                raise RequestRefused(403, "foreign_shop", f"events[{index}].shop_id", message, index=index)
    records: list[Record] = []
    results: list[dict[str, Any]] = []
    quarantined: dict[str, int] = {}
    for index, event in enumerate(events):
        try:
            line = orjson.dumps(event).decode()
        except TypeError:
            message = f"event {index} is nested too deep; keep it below 250 levels"
            raise RequestRefused(422, "too_deep", f"events[{index}]", message, index=index) from None
        record, checked = record_of(
            event, shop_id=shop_id, collector_id=collector_id, seq=-1, collected_at_ms=collected_at_ms, line=line
        )
        records.append(record)
        if isinstance(checked, Refusal):
            quarantined[checked.reason] = quarantined.get(checked.reason, 0) + 1
            results.append(_result(record, "quarantined", checked.reason, checked.field, checked.detail))
        else:
            results.append(_result(record, "accepted", None, None, None))
    return Checked(records, results, quarantined)


def _result(record: Record, status: str, reason: str | None, field: str | None, detail: str | None) -> dict[str, Any]:
    return {"event_id": record["event_id"], "status": status, "reason": reason, "field": field, "detail": detail}


def _json_type(value: Any) -> str:
    names = {bool: "a boolean", int: "a number", float: "a number", str: "a string", dict: "an object", type(None): "null"}
    return names.get(type(value), "an array")
