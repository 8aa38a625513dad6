"""Exports that overlap, and that tell of one order in several ways: each order, line and refund counts once, at its amount."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from imports.order_mapping import ExportMapping, load_export_mapping
from imports.orders import order_lines
from imports.preview import paid_minor
from imports.refunds import UnreturnedPurchases
from jishi.contract import Event, check_event

COLUMNS = {"order_id": "order", "item_id": "sku", "quantity": "qty", "unit_price": "price", "occurred_at": "at"}
HEAD = "order,sku,qty,price,at,user,back\n"


def mapping(**keys: Any) -> ExportMapping:
    columns = COLUMNS | {"user_id": "user"} | keys.pop("columns", {"refunded": "back"})
    return ExportMapping.model_validate({"currency": "EUR", "time_zone": "UTC", "columns": columns} | keys)


def imported(
    folder: Path, rules: ExportMapping, *contents: str, earlier: list[dict[str, Any]] | None = None
) -> list[dict[str, Any]]:
    files = [folder / f"{number}.csv" for number in range(len(contents))]
    for file, content in zip(files, contents, strict=True):
        file.write_text(content, encoding="utf-8")
    purchases = UnreturnedPurchases.of_events(json.dumps(event).encode() for event in earlier) if earlier is not None else None
    return [json.loads(line) for line in order_lines(files, rules, "s", lambda done, total: None, purchases)]


def money(events: list[dict[str, Any]]) -> tuple[dict[str, int], dict[str, int]]:
    """Paid and refunded minor units by order, of events that the contract takes, each event id once."""
    paid: dict[str, int] = {}
    refunded: Counter[str] = Counter()
    for event in {event["event_id"]: event for event in reversed(events)}.values():
        if isinstance(check_event(event, "s"), Event):
            properties = event["properties"]
            if event["type"] == "order_paid":
                paid[properties["order_id"]] = paid_minor(properties)
            else:
                refunded[properties["order_id"]] += properties["amount_minor"]
    return paid, dict(refunded)


JANUARY = HEAD + "1,A,1,10.00,2026-01-31,u,0.00\n1,B,2,5.00,2026-01-31,u,\n"


def test_an_order_that_was_refunded_between_two_exports_counts_once(tmp_path: Path) -> None:
    february = JANUARY.replace("u,0.00", "u,7.50")
    assert money(imported(tmp_path, mapping(), JANUARY, february)) == ({"1": 2000}, {"1": 750})
    assert money(imported(tmp_path, mapping(), february, JANUARY)) == ({"1": 2000}, {"1": 750})
    keyed = mapping(columns={"refunded": "back", "line_id": "sku"})
    assert money(imported(tmp_path, keyed, JANUARY, february)) == ({"1": 2000}, {"1": 750})


def test_the_same_line_written_otherwise_is_the_same_line(tmp_path: Path) -> None:
    other = HEAD + "1.0,A,1.0,10,2026-01-31T00:00:00Z,u,\n1.0,B,2,5,2026-01-31 00:00:00,u,\n1.0,C,1,1,2026-01-31,u,\n"
    events = imported(tmp_path, mapping(), JANUARY, other)
    assert money(events) == ({"1": 2100}, {})
    assert [line["item_id"] for line in events[0]["properties"]["lines"]] == ["A", "B", "C"]


def test_rows_of_one_order_are_one_order_however_its_id_is_written(tmp_path: Path) -> None:
    text = (
        HEAD
        + "7,A,1,10.00,2026-01-31,u,\n7.0,B,1,5.00,2026-01-31,u,\n"
        + "e\u0301,A,1,1.00,2026-01-31,u,\n\u00e9,B,1,1.00,2026-01-31,u,\n"
    )
    paid, _ = money(imported(tmp_path, mapping(), text))
    assert sorted(paid.values()) == [200, 1500]


def test_what_an_order_gave_back_counts_once_where_each_row_repeats_it(tmp_path: Path) -> None:
    repeated = JANUARY.replace("u,0.00", "u,7.50").replace("2026-01-31,u,\n", "2026-01-31,u,7.50\n")
    assert money(imported(tmp_path, mapping(), repeated))[1] == {"1": 750}
    assert money(imported(tmp_path, mapping(columns={"line_refunded": "back"}), repeated))[1] == {"1": 1500}


def test_a_preset_of_whole_orders_takes_the_quantity_that_was_sold(tmp_path: Path) -> None:
    text = (
        "Order Number,Order Status,Order Date,Order Refund Amount,SKU,Quantity,Quantity (- Refund),Item Cost\n"
        "9,Completed,2026-03-01 10:00,3.50,SOAP,2,1,3.50\n9,Completed,2026-03-01 10:00,3.50,BRUSH,1,1,6.00\n"
    )
    assert money(imported(tmp_path, load_export_mapping("woocommerce"), text)) == ({"9": 1300}, {"9": 350})


def test_a_quantity_after_refunds_that_has_become_less_is_the_same_line(tmp_path: Path) -> None:
    """Two soaps and a brush in January; one soap came back before February's export, which has what is left: 3.50 + 6.00."""
    january = (
        "Order Number,Order Status,Order Date,Order Refund Amount,SKU,Quantity (- Refund),Item Cost\n"
        "9,Completed,2026-01-31 10:00,0.00,SOAP,2,3.50\n9,Completed,2026-01-31 10:00,0.00,BRUSH,1,6.00\n"
    )
    february = january.replace("SOAP,2", "SOAP,1").replace(",0.00,", ",3.50,")
    rules = load_export_mapping("woocommerce")
    assert money(imported(tmp_path, rules, january, february)) == ({"9": 950}, {})
    assert money(imported(tmp_path, rules, february, january)) == ({"9": 950}, {})
    sold = february.replace("Quantity (- Refund)", "Quantity").replace("SOAP,1", "SOAP,2")
    for files in ((january, sold), (sold, february), (february, sold)):
        assert money(imported(tmp_path, rules, *files)) == ({"9": 1300}, {"9": 350})


def test_an_order_that_was_paid_between_two_exports_counts_once(tmp_path: Path) -> None:
    """WooCommerce gives cash on delivery a paid date once the order is completed; Shopify none to one paid in part."""
    january = (
        "Order Number,Order Status,Order Date,Paid Date,SKU,Quantity,Item Cost\n"
        "9,Processing,2026-01-30 10:00,,SOAP,2,3.50\n9,Processing,2026-01-30 10:00,,SOAP,2,3.50\n"
    )
    february = january.replace("10:00,,", "10:00,2026-02-02 09:00,").replace("Processing", "Completed")
    for files in ((january, february), (february, january)):
        [order] = imported(tmp_path, load_export_mapping("woocommerce"), *files)
        assert money([order]) == ({"9": 1400}, {})
    shopify = (
        "Name,Financial Status,Paid at,Created at,Lineitem quantity,Lineitem price,Lineitem sku\n"
        "#1,partially_paid,,2026-01-30 10:00:00 +0100,1,10.00,MUG\n#1,,,2026-01-30 10:00:00 +0100,1,25.00,TEE\n"
    )
    paid = shopify.replace("partially_paid,,", "paid,2026-02-02 09:00:00 +0100,")
    assert money(imported(tmp_path, load_export_mapping("shopify"), shopify, paid)) == ({"#1": 3500}, {})


@given(sums=st.lists(st.integers(0, 2000), min_size=1, max_size=5))
def test_sums_that_grow_from_import_to_import_add_up_to_the_last(
    tmp_path_factory: pytest.TempPathFactory, sums: list[int]
) -> None:
    folder, history = tmp_path_factory.mktemp("s"), list[dict[str, Any]]()
    for cents in sorted(sums):
        text = JANUARY.replace("u,0.00", f"u,{cents / 100:.2f}")
        history += imported(folder, mapping(), text, earlier=history)
    assert money(history) == ({"1": 2000}, {"1": max(sums)} if max(sums) else {})


BACK = mapping(columns={}, cancellation={"column": "qty", "below": 0})


def test_a_refund_goes_back_to_an_order_that_was_there_then(tmp_path: Path) -> None:
    head = "order,sku,qty,price,at,user\n"
    march = imported(tmp_path, BACK, head + "M,A,1,10.00,2026-03-01,u\n")
    more = head + "J,A,1,10.00,2026-01-01,u\nx,A,-1,10.00,2026-02-01,u\n"
    assert money(march + imported(tmp_path, BACK, more, earlier=march))[1] == {"J": 1000}
    before_any = head + "x,A,-1,10.00,2026-02-01,u\n"
    assert money(march + imported(tmp_path, BACK, before_any, earlier=march))[1] == {}


def test_a_refund_that_is_imported_again_takes_nothing_more(tmp_path: Path) -> None:
    head = "order,sku,qty,price,at,user\n"
    first = head + "1,A,1,10.00,2026-01-01,u\n2,A,1,12.00,2026-01-02,u\nx,A,-1,12.00,2026-02-01,u\n"
    history = imported(tmp_path, BACK, first)
    again = imported(tmp_path, BACK, first + "y,A,-1,10.00,2026-03-01,u\n", earlier=history)
    assert money(history + again)[1] == {"2": 1200, "1": 1000}


def test_a_number_of_a_workbook_has_a_decimal_point_whatever_the_sign_of_texts(tmp_path: Path) -> None:
    file = tmp_path / "orders.parquet"
    columns = {"order": ["1", "2"], "sku": ["A", "A"], "qty": [2, 1], "price": [1.234, 12.5], "at": ["2026-01-01"] * 2}
    pq.write_table(pa.table(columns | {"user": ["u", "u"], "shipping": ["3,50", "1.000,00"]}), file)
    rules = mapping(columns={"shipping": "shipping"}, decimal=",", currency="KWD")
    events = [json.loads(line) for line in order_lines([file], rules, "s", lambda done, total: None)]
    assert money(events)[0] == {"1": 2 * 1234 + 3500, "2": 12500 + 1_000_000}
    found_out = rules.model_copy(update={"decimal": None})
    assert [json.loads(line) for line in order_lines([file], found_out, "s", lambda done, total: None)] == events


@pytest.mark.parametrize(("currency", "minor"), [("ITL", 50_000), ("DEM", 5_000_000), ("TRL", 50_000)])
def test_amounts_of_a_withdrawn_currency_have_its_digits(tmp_path: Path, currency: str, minor: int) -> None:
    text = f"order,sku,qty,price,at,user,cur\n1,A,1,50000,2001-01-01,u,{currency}\n"
    [event] = imported(tmp_path, mapping(columns={"currency": "cur"}), text)
    assert event["properties"]["lines"][0]["unit_price_minor"] == minor
