"""Days of a simulated shop in which things happen that reach back: what earlier days have to be built again for.

The simulator has late and doubled events, logins, refunds days later and bots. Added here: refunds weeks later, events that
come weeks late, logins of devices that were anonymous for weeks, days of which a part reaches bronze only after their night,
and a new home currency of the shop in the last third.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from jishi.fx_rates import FxRate
from simulator.defects import stamp

TIME_ZONE, CURRENCY, NEW_CURRENCY = "Asia/Shanghai", "CNY", "EUR"
REFUND_EVERY, LATE_EVERY, LOGIN_EVERY, BELATED_EVERY = 1, 4, 3, 9
REFUND_AFTER, LATE_AFTER, LOGIN_AFTER = 28, 10, 16  # days


@dataclass
class EventfulDay:
    """Lines of a UTC day of receipt: those in bronze before its night, and those that come to bronze after it."""

    lines: list[bytes] = field(default_factory=list)
    belated: list[bytes] = field(default_factory=list)


def eventful(days: Mapping[date, Sequence[bytes]]) -> dict[date, EventfulDay]:
    """The days with all that is added. Of few days what reaches back does so by half of them at most."""
    most = max(1, len(days) // 2)
    by_day = {day: EventfulDay(list(lines)) for day, lines in days.items()}
    for number, (day, lines) in enumerate(days.items()):
        events = [event for line in lines if (event := _event(line)) is not None]
        if number % REFUND_EVERY == 0:
            _add(
                by_day, day, min(REFUND_AFTER, most), [_refund(event) for event in events if event["type"] == "order_paid"][:1]
            )
        if number % LATE_EVERY == 0:
            late = [event | {"event_id": f"late-{event['event_id']}"} for event in events if event["type"] == "item_viewed"]
            _add(by_day, day, min(LATE_AFTER, most), late[:3])
        if number % LOGIN_EVERY == 0:
            _add(
                by_day,
                day,
                min(LOGIN_AFTER, most),
                [_login(event) for event in events if _is_anonymous(event)][:1],
                is_now=True,
            )
    for number, day in enumerate(days):
        if number % BELATED_EVERY == 1 and number < len(days) - 1:
            known = by_day[day].lines
            by_day[day] = EventfulDay(known[: 3 * len(known) // 4], known[3 * len(known) // 4 :])
    return by_day


def currency_changes_on(days: Sequence[date]) -> date:
    """From this day on the shop keeps its books in ``NEW_CURRENCY``."""
    return days[2 * len(days) // 3]


def rates(days: Sequence[date]) -> list[FxRate]:
    """What the old currency is worth in the new one: another rate every week."""
    return [FxRate(CURRENCY, day, Decimal("0.125") + Decimal(n) / 1000) for n, day in enumerate(days[::7])]


def _event(line: bytes) -> dict[str, Any] | None:
    """The event of a line; None where it is broken, as some are on purpose."""
    try:
        event = json.loads(line)
    except json.JSONDecodeError:
        return None
    is_whole = isinstance(event, dict) and {"event_id", "type", "occurred_at", "received_at"} <= event.keys()
    return event if is_whole and event["event_id"].startswith("e") else None


def _is_anonymous(event: Mapping[str, Any]) -> bool:
    return event["type"] == "item_viewed" and "anonymous_id" in event and "user_id" not in event


def _refund(paid: Mapping[str, Any]) -> dict[str, Any]:
    """The whole first line of an order is paid back."""
    order, line = paid["properties"], paid["properties"]["lines"][0]
    amount = line["quantity"] * line["unit_price_minor"]
    back = {"item_id": line["item_id"], "quantity": line["quantity"], "amount_minor": amount}
    properties = {"refund_id": f"weeks-{order['order_id']}", "order_id": order["order_id"], "currency": order["currency"]}
    properties |= {"amount_minor": amount, "lines": [back], "reason": "quality"}
    return {**paid, "event_id": f"weeks-{paid['event_id']}", "type": "order_refunded", "properties": properties}


def _login(viewed: Mapping[str, Any]) -> dict[str, Any]:
    return {**viewed, "event_id": f"login-{viewed['event_id']}", "user_id": f"found-{viewed['anonymous_id']}"}


def _add(
    by_day: Mapping[date, EventfulDay], day: date, later: int, events: Sequence[dict[str, Any]], *, is_now: bool = False
) -> None:
    """Let events come at noon of a later day, if there is one; a refund and a login (``is_now``) happen then, too."""
    on = day + timedelta(days=later)
    if on not in by_day:
        return
    noon = stamp(int(datetime.combine(on, time(12), UTC).timestamp() * 1000))
    for event in events:
        happened = {"occurred_at": noon} if is_now or event["type"] == "order_refunded" else {}
        by_day[on].lines.append(json.dumps(event | happened | {"received_at": noon}, ensure_ascii=False).encode())
