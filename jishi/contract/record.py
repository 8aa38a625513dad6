"""The record: one accepted event as it travels through the log and lies in bronze.

A record carries the event's own line (unknown fields included; only ids and whole numbers are brought into their one form) and
beside it, parsed once, the fields that every engine needs. Its identity is ``(collector_id, seq)``: one acknowledgement. The
same event sent twice gives two records with one ``event_id``; a record forwarded twice keeps its identity and counts once.
"""

from __future__ import annotations

from typing import Any, TypedDict

import orjson

from jishi.contract.events import Event
from jishi.contract.fields import parse_instant, to_ms
from jishi.contract.home_money import ShopMoney, stamped, without_stamp
from jishi.contract.sender import OrderSource, Sender, recorded_id, refusal_of_sender
from jishi.contract.validation import Refusal, checked
from jishi.money import HOME_CURRENCY

# An order with the most lines that it may have needs half of this; the log takes lines of four times this length.
MAX_EVENT_CHARACTERS = 512 * 1024


class Record(TypedDict):
    """Columns of ``jishi.tables.LOG_RECORD``; times are epoch milliseconds, ``unit_price_minor`` is in the home currency,
    ``occurred_date`` (2026-11-30) is on the shop's clock, null where nobody said in which time zone that is.
    """

    collector_id: str
    seq: int
    shop_id: str
    event_id: str | None
    type: str | None
    schema_version: int | None
    occurred_at_ms: int | None
    collected_at_ms: int
    anonymous_id: str | None
    user_id: str | None
    person_id: str | None
    session_id: str | None
    item_id: str | None
    category: str | None
    unit_price_minor: int | None
    quantity: int | None
    invalid_reason: str | None
    invalid_field: str | None
    invalid_detail: str | None
    sent_by: str | None
    line: str
    occurred_date: str | None
    channel: str | None


def record_of(
    raw: Any,
    *,
    shop_id: str,
    collector_id: str,
    seq: int,
    collected_at_ms: int,
    line: str | None = None,
    refusal: Refusal | None = None,
    now_ms: int | None = None,
    sent_by: Sender = "server",
    orders_from: OrderSource = "server",
    money: ShopMoney | None = None,
) -> tuple[Record, Event | Refusal]:
    """The record of one accepted event of ``shop_id`` and what the contract says of it.

    ``raw`` is the decoded event; ``line`` its text where the caller has it (it is encoded again otherwise); ``refusal`` what
    was wrong with the text already (jishi.contract.reading); ``now_ms`` the clock that times are compared with; ``sent_by``
    whose word it is, and ``orders_from`` whose orders count (jishi.contract.sender); ``money`` the home currency and rates by
    which amounts are stamped (jishi.contract.home_money), without which a stamp that is there stays, and the shop's time zone.
    An event that is refused still gets a record, with ``invalid_*`` filled: it was accepted, so it is kept.
    """
    text = line if line is not None else orjson.dumps(raw).decode()
    result: Event | Refusal
    if refusal is not None:
        result = refusal
    elif len(text) > MAX_EVENT_CHARACTERS:
        result = _too_large(text)
    else:
        normal, result = checked(raw if money is None else without_stamp(raw), shop_id, now_ms=now_ms)
        if isinstance(result, Event):
            result = refusal_of_sender(result, sent_by, orders_from) or result
        if isinstance(result, Event) and money is not None:
            with_stamp = stamped(normal, result, money)
            normal, result = (normal, with_stamp) if isinstance(with_stamp, Refusal) else (with_stamp, result)
        if normal is not raw:
            text = orjson.dumps(normal).decode()
    if isinstance(result, Refusal):
        known = raw if isinstance(raw, dict) else {}
        record = _blank(shop_id, collector_id, seq, collected_at_ms, text)
        record["sent_by"] = sent_by
        record["event_id"] = recorded_id(_text_or_none(known.get("event_id")), sent_by)
        record["type"] = _text_or_none(known.get("type"))
        record["invalid_reason"] = result.reason
        record["invalid_field"] = result.field
        record["invalid_detail"] = result.detail
        return record, result
    # Declared fields only: an unknown field of the same name has any type, and stays in the line.
    declared = result.properties.__dict__
    price = declared.get("unit_price_minor")
    if price is not None and isinstance(normal, dict) and HOME_CURRENCY in normal["properties"]:
        price = normal["properties"].get("home_unit_price_minor")
    record = {
        "collector_id": collector_id,
        "seq": seq,
        "shop_id": shop_id,
        "event_id": recorded_id(result.event_id, sent_by),
        "type": result.type,
        "schema_version": result.schema_version,
        "occurred_at_ms": to_ms(result.occurred_at),
        "collected_at_ms": collected_at_ms,
        "anonymous_id": result.anonymous_id,
        "user_id": result.user_id,
        "person_id": result.person_id,
        "session_id": result.session_id,
        "item_id": declared.get("item_id"),
        "category": declared.get("category"),
        "unit_price_minor": price,
        "quantity": declared.get("quantity"),
        "invalid_reason": None,
        "invalid_field": None,
        "invalid_detail": None,
        "sent_by": sent_by,
        "line": text,
        "occurred_date": None if money is None else money.date_of(result.occurred_at).isoformat(),
        "channel": result.context.channel,
    }
    return record, result


def known_since_ms(raw: Any, record: Record, result: Event | Refusal) -> int | None:
    """When an event that did not run through the log became known, as it says itself (epoch milliseconds).

    A good event's ``received_at``, else its ``occurred_at``; of a refused one the first that is readable; None without any.
    """
    if isinstance(result, Event):
        return record["occurred_at_ms"] if result.received_at is None else to_ms(result.received_at)
    if not isinstance(raw, dict):
        return None
    for name in ("received_at", "occurred_at"):
        try:
            return to_ms(parse_instant(raw.get(name)))
        except ValueError:
            continue
    return None


def _too_large(text: str) -> Refusal:
    detail = f"the event has {len(text)} characters, at most {MAX_EVENT_CHARACTERS} are taken; send what belongs to it only"
    return Refusal("too_large", "", detail)


def _text_or_none(value: Any) -> str | None:
    return value[:200].encode(errors="replace").decode() if isinstance(value, str) else None


def _blank(shop_id: str, collector_id: str, seq: int, collected_at_ms: int, line: str) -> Record:
    return Record(
        collector_id=collector_id,
        seq=seq,
        shop_id=shop_id,
        event_id=None,
        type=None,
        schema_version=None,
        occurred_at_ms=None,
        collected_at_ms=collected_at_ms,
        anonymous_id=None,
        user_id=None,
        person_id=None,
        session_id=None,
        item_id=None,
        category=None,
        unit_price_minor=None,
        quantity=None,
        invalid_reason=None,
        invalid_field=None,
        invalid_detail=None,
        sent_by=None,
        line=line,
        occurred_date=None,
        channel=None,
    )
