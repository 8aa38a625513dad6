"""An export of order lines → ``order_paid`` and ``order_refunded`` events, in the order of time.

Rows of one order become one event. A row that takes something back belongs to a refund: of the order that its row names, or of
the newest earlier order of the same person that has enough of the item left. A refund whose order is not in the export keeps no
order: the contract quarantines it, because it would lower the revenue of an order that nobody knows.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from imports.export_table import instant, minor, open_rows, rounded, whole
from imports.order_mapping import ExportMapping

NEEDED = ("order_id", "item_id", "quantity", "unit_price", "occurred_at")
OPTIONAL = ("user_id", "category", "discount", "coupon_id", "shipping")
Row = dict[str, Any]
Progress = Callable[[int, int], None]


@dataclass
class _Bought:
    """What persons bought and have not given back: (person, item) → [order, quantity left], oldest first."""

    left: dict[tuple[str, str], list[list[Any]]] = field(default_factory=lambda: defaultdict(list))

    def add(self, person: str, item_id: str, order_id: str, quantity: int) -> None:
        self.left[person, item_id].append([order_id, quantity])

    def take_back(self, person: str, item_id: str, quantity: int) -> str | None:
        """The order that a refund of so many belongs to."""
        for entry in reversed(self.left.get((person, item_id), [])):
            if entry[1] >= quantity:
                entry[1] -= quantity
                return str(entry[0])
        return None


def order_lines(files: Sequence[Path], mapping: ExportMapping, shop_id: str, progress: Progress) -> Iterator[bytes]:
    """Events of the export as JSON lines. ``progress`` is told rows done and rows in all. Raises LandingError."""
    import duckdb

    mapping.require(NEEDED, OPTIONAL)
    columns = list(dict.fromkeys(mapping.columns.values()))
    back = mapping.cancellation
    if back is not None:
        columns = list(dict.fromkeys([*columns, back.column, *([back.order_id] if back.order_id else [])]))
    with duckdb.connect() as connection:
        open_rows(connection, files, columns)
        total, done = connection.execute("select count(*) from rows").fetchone()[0], 0  # type: ignore[index]
        bought = _Bought()
        for is_back, rows in _groups(connection, mapping):
            events = _refunds(rows, mapping, shop_id, bought) if is_back else [_order(rows, mapping, shop_id, bought)]
            yield from map(orjson.dumps, events)
            done += len(rows)
            progress(done, total)


def _groups(connection: Any, mapping: ExportMapping) -> Iterator[tuple[bool, list[Row]]]:
    """Rows of each order and refund, in the order of time; rows without an order stand alone."""
    order, at = _quoted(mapping.columns["order_id"]), _quoted(mapping.columns["occurred_at"])
    form = "" if mapping.time_format is None else mapping.time_format.replace("'", "''")
    time = f"try_strptime({at}, '{form}')" if form else f"try_cast({at} as timestamp)"
    connection.execute(
        f"""
        create temp table ordered as
        with marked as (
            select *, {_is_back(mapping)} as "jishi:back", {time} as "jishi:at",
                coalesce({order}, '#' || "jishi:row") as "jishi:group"
            from rows
        )
        select *, min("jishi:at") over w as "jishi:group_at", min("jishi:row") over w as "jishi:group_row"
        from marked window w as (partition by "jishi:group", "jishi:back")
        order by "jishi:group_at" nulls first, "jishi:group_row", "jishi:back", "jishi:row"
        """
    )
    result = connection.execute("select * from ordered")
    names = [column[0] for column in result.description]
    group: list[Row] = []
    while chunk := result.fetchmany(20_000):
        for values in chunk:
            row = dict(zip(names, values, strict=True))
            if group and (group[0]["jishi:group"], group[0]["jishi:back"]) != (row["jishi:group"], row["jishi:back"]):
                yield group[0]["jishi:back"], group
                group = []
            group.append(row)
    if group:
        yield group[0]["jishi:back"], group


def _is_back(mapping: ExportMapping) -> str:
    rule = mapping.cancellation
    if rule is None:
        return "false"
    column = _quoted(rule.column)
    if rule.starts_with is not None:
        return f"coalesce(starts_with({column}, {_text(rule.starts_with)}), false)"
    if rule.equals is not None:
        return f"coalesce({column} in ({', '.join(map(_text, rule.equals))}), false)"
    return f"coalesce(try_cast({column} as double) < {rule.below}, false)"


def _order(rows: list[Row], mapping: ExportMapping, shop_id: str, bought: _Bought) -> dict[str, Any]:
    order_id = _value(rows[0], "order_id", mapping)
    person = _person(rows[0], mapping, order_id)
    lines = []
    for row in rows:
        line = _line(row, mapping)
        lines.append(line)
        if isinstance(line["quantity"], int) and isinstance(line["item_id"], str):
            bought.add(_key(person), line["item_id"], str(order_id), line["quantity"])
    properties: dict[str, Any] = {"order_id": order_id, "currency": mapping.currency, "lines": lines}
    shipping = minor(_value(rows[0], "shipping", mapping), mapping)
    if shipping is not None:
        properties["shipping_minor"] = rounded(shipping)
    return _event(f"order-{order_id}", "order_paid", rows[0], mapping, shop_id, person, properties)


def _line(row: Row, mapping: ExportMapping) -> dict[str, Any]:
    quantity, text = whole(_value(row, "quantity", mapping)), _value(row, "unit_price", mapping)
    price, discount = minor(text, mapping), minor(_value(row, "discount", mapping), mapping)
    line: dict[str, Any] = {"item_id": _value(row, "item_id", mapping), "quantity": quantity}
    line["unit_price_minor"] = text if price is None else rounded(price)
    if discount is not None:
        line["discount_minor"] = rounded(discount)
    if price is not None and isinstance(quantity, int) and price != int(price):
        line["amount_minor"] = max(0, rounded(price * quantity - (discount or 0)))  # a unit's price is no whole minor unit
    for name in ("category", "coupon_id"):
        if (value := _value(row, name, mapping)) is not None:
            line[name] = value
    return line


def _refunds(rows: list[Row], mapping: ExportMapping, shop_id: str, bought: _Bought) -> list[dict[str, Any]]:
    refund_id = _value(rows[0], "order_id", mapping)
    person = _person(rows[0], mapping, refund_id)
    assert mapping.cancellation is not None
    named = mapping.cancellation.order_id
    by_order: dict[Any, list[Row]] = defaultdict(list)
    for row in rows:
        quantity = whole(_value(row, "quantity", mapping))
        count = abs(quantity) if isinstance(quantity, int) else 0
        order_id = row[named] if named else bought.take_back(_key(person), str(_value(row, "item_id", mapping)), count)
        by_order[order_id].append(row)
    events = []
    for number, (order_id, own) in enumerate(by_order.items(), 1):
        lines, amount = [], 0
        for row in own:
            quantity, text = whole(_value(row, "quantity", mapping)), _value(row, "unit_price", mapping)
            price = minor(text, mapping)
            is_known = price is not None and isinstance(quantity, int)
            paid: Any = rounded(abs(price * quantity)) if is_known else text
            amount += paid if is_known else 0
            count = abs(quantity) if isinstance(quantity, int) else quantity
            lines.append({"item_id": _value(row, "item_id", mapping), "quantity": count, "amount_minor": paid})
        name = f"{refund_id}" if number == 1 else f"{refund_id}-{number}"
        properties = {"refund_id": name, "currency": mapping.currency, "amount_minor": amount, "lines": lines}
        if order_id is not None:
            properties["order_id"] = order_id
        events.append(_event(f"refund-{name}", "order_refunded", own[0], mapping, shop_id, person, properties))
    return events


def _event(
    event_id: str, name: str, row: Row, mapping: ExportMapping, shop_id: str, person: dict[str, str], properties: dict[str, Any]
) -> dict[str, Any]:
    at = instant(_value(row, "occurred_at", mapping), mapping)
    head = {"event_id": event_id, "shop_id": shop_id, "type": name, "occurred_at": at}
    return head | person | {"properties": properties, "source": {"file": row["jishi:file"], "row": row["jishi:row"]}}


def _person(row: Row, mapping: ExportMapping, order_id: Any) -> dict[str, str]:
    user_id = _value(row, "user_id", mapping)
    return {"user_id": user_id} if user_id else {"anonymous_id": f"guest-{order_id}"}


def _key(person: dict[str, str]) -> str:
    return next(iter(person.values()))


def _value(row: Row, name: str, mapping: ExportMapping) -> Any:
    column = mapping.columns.get(name)
    value = None if column is None else row[column]
    return mapping.defaults.get(name) if value in (None, "") else value


def _quoted(column: str) -> str:
    return '"' + column.replace('"', '""') + '"'


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
