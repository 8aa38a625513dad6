"""What a file or mapping should not hold: refused by its name, and never left out in silence."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from imports.order_mapping import load_export_mapping
from imports.refunds import UnreturnedPurchases
from jishi.contract import Event, check_event
from jishi.landing import LandingError
from tests.unit.imports.test_foreign_files import ORDER, imported, lines_of, mapping


@pytest.mark.parametrize("cell", ["many", "12,50,3", "9" * 30, "1E30", "99999999999999999"])
@pytest.mark.parametrize(
    "field", ["quantity", "unit_price", "discount", "order_discount", "shipping", "line_shipping", "refunded"]
)
def test_an_amount_that_is_none_is_refused_and_never_left_out(tmp_path: Path, field: str, cell: str) -> None:
    """Before: an unreadable discount was 0, an unreadable refund none at all, and one of thirty digits ended the import."""
    more = ["discount", "order_discount", "refunded", "line_shipping" if field == "line_shipping" else "shipping"]
    columns = ORDER | {name: name for name in more}
    rules = mapping(columns, decimal=".", may_lack=[name for name in columns if name not in ("order_id", "item_id")])
    row = {"order": "1", "sku": "A", "qty": "2", "price": "5.00", "at": "2026-01-01", "user": "u"} | {columns[field]: cell}
    events = imported(tmp_path, rules, f="\t".join(row) + "\n" + "\t".join(row.values()) + "\n")
    refused = [event["type"] for event in events if not isinstance(check_event(event, "s"), Event)]
    assert refused == (["order_refunded"] if field == "refunded" else ["order_paid"])


def test_a_dash_is_no_amount_and_no_fault(tmp_path: Path) -> None:
    text = "order,sku,qty,price,at,user,off\n1,A,2,5.00,2026-01-01,u,-\n2,A,2,5.00,2026-01-01,u,—\n"
    events = imported(tmp_path, mapping(ORDER | {"discount": "off"}), f=text)
    assert [lines_of(event)[0] for event in events] == [{"item_id": "A", "quantity": 2, "unit_price_minor": 500}] * 2


def test_rows_without_a_line_id_are_not_one_line(tmp_path: Path) -> None:
    text = "order,line,sku,qty,price,at,user\n1,,A,1,1.00,2026-01-01,u\n1,,A,1,1.00,2026-01-01,u\n"
    [event] = imported(tmp_path, mapping(ORDER | {"line_id": "line"}), f=text)
    assert len(lines_of(event)) == 2


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *(("time_format", text) for text in ("%Y %Y", "%Q", "%", "%s")),
        *(("delimiter", text) for text in ("\n", '"')),
        *(("time_zone", text) for text in ("America", "", "a\0b")),
        ("defaults", {"user_id": "\ud800"}),
        ("defaults", {"quantity": [1]}),
    ],
)
def test_a_mapping_that_reads_nothing_is_refused_by_its_key(key: str, value: Any) -> None:
    with pytest.raises(ValueError, match=key):
        mapping(**{key: value})


@pytest.mark.parametrize("encoding", ["punycode", "idna", "undefined", "rot13", "hex", "", "a\0b", "utf-7"])
def test_an_encoding_that_is_none_is_refused_by_name(tmp_path: Path, encoding: str) -> None:
    with pytest.raises(LandingError, match="encoding"):
        imported(tmp_path, mapping(encoding=encoding), f=b"order,sku,qty,price,at,user\n1,+2AA-\xff,1,1,2026-01-01,u\n")


def test_a_serial_date_at_the_end_of_time_is_no_date(tmp_path: Path) -> None:
    text = "order,sku,qty,price,at,user\n1,A,1,1.00,2958465.9999999,u\n"
    [event] = imported(tmp_path, mapping(time_format="excel_serial"), f=text)
    assert not isinstance(check_event(event, "s"), Event)


@pytest.mark.parametrize(
    "content",
    [
        *("currency: 2026-13-45", "!!int", "0000-00-00", "[" * 3000, "assumed: 7\ncurrency: EUR", "{[a]: b}"),
        *('defaults: {"\\ud800": []}', 'columns: {order_id: ["\\udfff"]}', "columns: &a [*a]"),
    ],
)
def test_a_mapping_that_is_no_yaml_names_its_file(tmp_path: Path, content: str) -> None:
    file = tmp_path / "m.yaml"
    file.write_text(content)
    with pytest.raises(LandingError, match=r"m\.yaml"):
        load_export_mapping(file)


@pytest.mark.parametrize(
    "odd",
    [
        {"user_id": ["u"]},
        {"properties": {"order_id": "x", "lines": None}},
        {"properties": {"order_id": "x", "lines": 7}, "type": "order_refunded"},
    ],
)
def test_an_odd_event_of_an_earlier_import_hides_no_other(odd: dict[str, Any]) -> None:
    line = {"item_id": "A", "quantity": 2, "unit_price_minor": 5}
    good = {"type": "order_paid", "user_id": "u", "properties": {"order_id": "1", "lines": [line]}}
    purchases = UnreturnedPurchases.of_events(json.dumps(event).encode() for event in (good | odd, good))
    assert purchases.take_of_person({"user_id": "u"}, "A", 2) is not None or odd.get("user_id") == ["u"]
