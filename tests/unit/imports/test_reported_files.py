"""Files that broke other importers in public, each with its report; the right values are computed by hand."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import xlsxwriter

from imports.order_mapping import ExportMapping, load_export_mapping
from imports.orders import order_lines
from imports.refunds import UnreturnedPurchases
from jishi.amounts import clear_decimal_sign_of, number
from jishi.contract import Event, Refusal, check_event
from jishi.currency_signs import currencies_named
from jishi.landing import LandingError

COLUMNS = {
    "order_id": "order",
    "item_id": "sku",
    "quantity": "qty",
    "unit_price": "price",
    "occurred_at": "at",
    "user_id": "user",
}
HEAD = "order,sku,qty,price,at,user\n"
SHOPIFY = (
    "Name,Email,Financial Status,Paid at,Currency,Subtotal,Shipping,Taxes,Total,Discount Code,Discount Amount,Created at,"
    "Lineitem quantity,Lineitem name,Lineitem price,Lineitem sku,Lineitem discount,Refunded Amount\n"
)
WOOCOMMERCE = (
    "Order Number,Order Status,Order Date,Email (Billing),Customer User ID,SKU,{},Item Cost,Order Refund Amount,"
    "Order Total Amount\n"
)


def mapping(columns: dict[str, str] | None = None, **options: Any) -> ExportMapping:
    return ExportMapping.model_validate({"currency": "EUR", "columns": columns or COLUMNS} | options)


def imported(folder: Path, text: str, rules: ExportMapping, notes: list[str] | None = None) -> list[dict[str, Any]]:
    file = folder / "orders.csv"
    file.write_text(text)
    noted = [] if notes is None else notes
    return [json.loads(line) for line in order_lines([file], rules, "s", lambda done, total: None, notes=noted.append)]


def refusals(events: list[dict[str, Any]]) -> list[str]:
    checked = [check_event(event, "s") for event in events]
    return [f"{c.reason} {c.field}" for c in checked if isinstance(c, Refusal)]


def persons(events: list[dict[str, Any]]) -> list[str]:
    return [event.get("user_id") or event["anonymous_id"] for event in events]


def test_an_apostrophe_before_a_cell_is_not_part_of_it(tmp_path: Path) -> None:
    """woocommerce 25379 and 53020, pretix 1394: exports write '-70, spreadsheets '0012, against formulas and lost zeros."""
    text = HEAD + "'0012,'0A7,2,10.00,2026-03-01,'+8613800000000\n0012,B,1,5.00,2026-03-01,+8613800000000\n"
    text += "0012,0A7,'-1,10.00,2026-03-02,'+8613800000000\n"
    paid, refund = imported(tmp_path, text, mapping(cancellation={"column": "qty", "below": 0, "order_id": "order"}))
    assert (paid["properties"]["order_id"], paid["user_id"]) == ("0012", "+8613800000000")
    assert [line["item_id"] for line in paid["properties"]["lines"]] == ["0A7", "B"]
    assert (refund["properties"]["order_id"], refund["properties"]["amount_minor"]) == ("0012", 1000)


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2026/3/1 9:05", "2026-03-01T09:05:00+08:00"),
        ("2026-3-1 9:05:07", "2026-03-01T09:05:07+08:00"),
        ("2026.03.01", "2026-03-01T00:00:00+08:00"),
        ("2026年3月1日 下午9:05", "2026-03-01T21:05:00+08:00"),
        ("2026/03/01 12:30 AM", "2026-03-01T00:30:00+08:00"),
        ("2026-03-01 10:00:00 UTC", "2026-03-01T10:00:00+00:00"),
        ("2026/3/1 9:05 -0530", "2026-03-01T09:05:00-05:30"),
    ],
)
@pytest.mark.parametrize("time_format", [None, "%d.%m.%Y"])
def test_a_time_that_begins_with_the_year_is_read(tmp_path: Path, text: str, instant: str, time_format: str | None) -> None:
    """csvkit 280, SheetJS 2704: a spreadsheet writes dates its own way when it saves an export."""
    [event] = imported(tmp_path, HEAD + f"1,A,1,1.00,{text},u\n", mapping(time_zone="Asia/Shanghai", time_format=time_format))
    assert event["occurred_at"] == instant


@pytest.mark.parametrize(
    "text",
    ["3/4/2026", "04.03.2026", "2026/13/1", "2026-02-30", "0001-01-01", "2026/3/110:00", "26/3/1", "2026-03-01 13:00 PM"],
)
def test_a_day_that_could_be_a_month_is_never_guessed(tmp_path: Path, text: str) -> None:
    """wealthfolio 1601, may 250: 03/08 became 8 March. It is refused, and the key to set is named."""
    notes: list[str] = []
    assert refusals(imported(tmp_path, HEAD + f"1,A,1,1.00,{text},u\n", mapping(time_zone="Asia/Tokyo"), notes)) == [
        "bad_value occurred_at"
    ]
    assert notes[-1] == f"1 rows have a time that cannot be read, such as {text!r}; set time_format"


@pytest.mark.parametrize(
    ("cells", "digits", "sign"),
    [
        (["1.012"], 2, None),  # woocommerce 10920: 2.614 refunded as 2.61
        (["1.012", "3.50"], 2, "."),
        (["1.012", "3,50"], 2, ","),
        (["1,012"], 2, "."),
        (["0.125"], 2, "."),
        (["12.500"], 0, ","),  # dong
        (["12,500"], 0, "."),
        (["1.500"], 3, "."),  # Kuwaiti dinars
        (["12,500"], 3, None),  # Tunisian dinars, or thousands
        (["1.234.567"], 2, ","),
        (["80.0000"], 2, "."),
        (["950", None], 2, "."),
    ],
)
def test_decimals_are_told_from_thousands_or_asked_for(cells: list[str | None], digits: int, sign: str | None) -> None:
    assert clear_decimal_sign_of(cells, digits) == sign


def test_a_column_that_may_be_thousands_is_refused_with_the_fix(tmp_path: Path) -> None:
    text = "order;sku;qty;price;at;user\n1;A;1;1.012;2026-03-01;u\n2;A;1;950;2026-03-01;u\n"
    with pytest.raises(LandingError, match=r"whether 1\.012 has decimals or thousands; set decimal"):
        imported(tmp_path, text, mapping())
    prices = [e["properties"]["lines"][0]["unit_price_minor"] for e in imported(tmp_path, text, mapping(decimal=","))]
    assert prices == [101200, 95000]


@pytest.mark.parametrize(
    ("shop", "cells", "minor"),
    [
        # Before, a yen shop took 12.345 dinars for 12,345 of them, and a shop of dinars 1.980 yen for 2.
        ("JPY", "1;A;1;1980;2026-03-01;u;JPY 2;A;1;12.345;2026-03-01;u;KWD", [1980, 12_345]),
        ("KWD", "1;A;1;1.980;2026-03-01;u;JPY 2;A;1;12,345;2026-03-01;u;KWD", [1980, 12_345]),
        ("JPY", "1;A;1;5.250;2026-03-01;u;KWD 1;B;1;12.345;2026-03-01;u;", [5250, 12_345]),  # once for the order
        ("JPY", "1;A;1;12.345 KWD;2026-03-01;u;", [12_345]),
        ("JPY", "1;A;1;1.250;2026-03-01;u;EUR 2;A;1;990;2026-03-01;u;JPY", None),  # euros, or thousands of them
    ],
)
def test_decimals_are_told_by_the_currency_of_their_row(tmp_path: Path, shop: str, cells: str, minor: list[int] | None) -> None:
    text = "order;sku;qty;price;at;user;cur\n" + re.sub(r" (?=\d;)", "\n", cells) + "\n"
    rules = mapping(COLUMNS | {"currency": "cur"}, currency=shop)
    if minor is None:
        with pytest.raises(LandingError, match=r"whether 1\.250 has decimals or thousands"):
            imported(tmp_path, text, rules)
        return
    events = imported(tmp_path, text, rules)
    assert [line["unit_price_minor"] for event in events for line in event["properties"]["lines"]] == minor


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("12.50 USD", {"USD"}),
        ("US$12.50", {"USD"}),
        ("￥199.00", {"CNY", "JPY"}),
        ("12.50 zł", {"PLN"}),
        ("kr 12.50", {"DKK", "ISK", "NOK", "SEK"}),
        ("Rp12", {"IDR"}),
        ("RMB 12.50", {"CNY"}),
    ],
)
def test_currencies_that_stand_beside_an_amount(text: str, codes: set[str]) -> None:
    assert set(currencies_named(text) or ()) == codes
    assert number(text) is not None


def test_what_is_no_currency_makes_no_amount() -> None:
    assert [number(text) for text in ("12 pcs", "PCS 12", "3 kWh", "USDX 1")] == [None] * 4


def test_an_amount_of_another_currency_is_never_taken_for_the_shops(tmp_path: Path) -> None:
    """matomo-for-wordpress 1002: 100 dollars counted as 100 kronor."""
    text = (
        HEAD + "1,A,1,100.00 USD,2026-03-01,u\n2,A,1,1980 円,2026-03-01,u\n3,A,1,$5.00,2026-03-01,u\n4,A,1,€5.00,2026-03-01,u\n"
    )
    events = imported(tmp_path, text, mapping())
    assert [event["properties"]["currency"] for event in events] == ["USD", "JPY", "EUR", "EUR"]
    assert refusals(events) == ["wrong_type properties.lines.0.unit_price_minor"], "dollars of nobody knows which country"
    assert [
        event["properties"]["lines"][0]["unit_price_minor"] for event in events if isinstance(check_event(event, "s"), Event)
    ] == [
        10000,
        1980,
        500,
    ]


def test_lines_of_two_currencies_are_no_order(tmp_path: Path) -> None:
    text = "order,sku,qty,price,at,user,cur\n1,A,1,1.00,2026-03-01,u,EUR\n1,B,1,100,2026-03-01,u,JPY\n"
    text += "2,A,1,5.00,2026-03-01,u,RMB\n"
    mixed, yuan = imported(tmp_path, text, mapping(COLUMNS | {"currency": "cur"}))
    assert refusals([mixed]) == ["wrong_type properties.lines.1.unit_price_minor"]
    assert (refusals([yuan]), yuan["properties"]["currency"]) == ([], "CNY")


def test_a_column_of_currencies_is_not_passed_over(tmp_path: Path) -> None:
    text = "order,sku,qty,price,at,user,Cur\n1,A,1,1.00,2026-03-01,u,EUR\n2,A,1,15000,2026-03-01,u,JPY\n"
    with pytest.raises(LandingError, match=r"'Cur' holds EUR, JPY, .* add currency: Cur below columns"):
        imported(tmp_path, text, mapping())
    assert len(imported(tmp_path, text, mapping(defaults={"currency": "EUR"}))) == 2
    assert len(imported(tmp_path, text.replace("JPY", "EUR"), mapping())) == 2
    assert len(imported(tmp_path, text.replace("Cur", "Segment"), mapping())) == 2


def test_an_amount_that_cannot_be_read_is_never_left_out(tmp_path: Path) -> None:
    """A discount of 10%, shipping and refunds in words were taken for none, and the order counted in full."""
    columns = COLUMNS | {"discount": "off", "line_shipping": "ship", "refunded": "back"}
    text = "order,sku,qty,price,at,user,off,ship,back\n1,A,1,10.00,2026-03-01,u,10%,,\n2,A,1,10.00,2026-03-01,u,,soon,\n"
    text += "3,A,1,10.00,2026-03-01,u,,,all\n4,A,1,10.00,2026-03-01,u,-,n/a,无退款申请\n"
    events = imported(tmp_path, text, mapping(columns))
    assert refusals(events) == [
        "wrong_type properties.lines.0.discount_minor",
        "wrong_type properties.shipping_minor",
        "wrong_type properties.amount_minor",
    ]
    assert [event["type"] for event in events] == ["order_paid", "order_paid", "order_paid", "order_refunded", "order_paid"]


def test_customers_who_are_nobody_are_not_one_person(tmp_path: Path) -> None:
    """PostHog 12008 and 5527: everybody without an id became one person. WooCommerce writes 0 for a guest, MySQL NULL."""
    words = ["0", "NULL", "N/A", "Guest", "-", "匿名", "\\N"]
    text = HEAD + "".join(f"{n},A,1,1.00,2026-03-0{n},{word}\n" for n, word in enumerate(words, 1))
    assert persons(imported(tmp_path, text, mapping())) == [f"import:guest-{n}" for n in range(1, len(words) + 1)]
    text = WOOCOMMERCE.format("Quantity") + "501,Completed,2026-03-01 10:00,a@x.test,0,S,1,3.50,0.00,3.50\n"
    text += "502,Completed,2026-03-01 11:00,b@x.test,0,S,1,3.50,0.00,3.50\n"
    text += "503,Completed,2026-03-01 12:00,c@x.test,7,S,1,3.50,0.00,3.50\n"
    assert persons(imported(tmp_path, text, load_export_mapping("woocommerce"))) == ["a@x.test", "b@x.test", "7"]


def test_refunds_of_woocommerce_are_taken_off_once(tmp_path: Path) -> None:
    """woocommerce 66217: returns counted twice. A quantity less refunds has them already."""
    row = "503,Completed,2026-03-01 11:00,c@x.test,7,S,{},3.50,{},7.70\n"
    net = imported(
        tmp_path, WOOCOMMERCE.format("Quantity (- Refund)") + row.format(1, 3.85), load_export_mapping("woocommerce")
    )
    assert [event["type"] for event in net] == ["order_paid"], "one soap of two is left: 3.50"
    paid, refund = imported(tmp_path, WOOCOMMERCE.format("Quantity") + row.format(2, 3.85), load_export_mapping("woocommerce"))
    assert (paid["properties"]["lines"][0]["quantity"], refund["properties"]["amount_minor"]) == (2, 350)


@pytest.mark.parametrize(("refunded", "minor"), [("107.00", 10000), ("53.50", 5000), ("0.01", 1)])
def test_a_refund_with_tax_gives_back_no_more_than_was_paid_without(tmp_path: Path, refunded: str, minor: int) -> None:
    """A price list without tax: Shopify's total and refunds have it, its lines have not."""
    row = f"#1,a@x,refunded,2026-03-01 10:00:00 +0800,USD,100.00,0.00,7.00,107.00,,0.00,,1,Mug,100.00,MUG,0.00,{refunded}\n"
    paid, refund = imported(tmp_path, SHOPIFY + row, load_export_mapping("shopify"))
    assert paid["properties"]["lines"][0]["unit_price_minor"] == 10000
    assert refund["properties"]["amount_minor"] == minor


def test_the_product_behind_a_configurable_one_is_not_sold_again(tmp_path: Path) -> None:
    """magento2 8452, shopify_transporter 91: one shirt was two lines."""
    text = (
        "increment_id,item_id,parent_item_id,sku,qty_ordered,price,order_currency_code,created_at,customer_id,status\n"
        "7,31,NULL,SHIRT-M,1.0000,80.0000,EUR,2026-03-01 10:00:00,12,complete\n"
        "7,32,31,SHIRT-M,1.0000,0.0000,EUR,2026-03-01 10:00:00,12,complete\n"
        "7,33,,LAMP,1.0000,9.0000,EUR,2026-03-01 10:00:00,12,complete\n"
    )
    notes: list[str] = []
    [event] = imported(tmp_path, text, load_export_mapping("magento"), notes)
    assert [(line["item_id"], line["quantity"]) for line in event["properties"]["lines"]] == [("SHIRT-M", 1), ("LAMP", 1)]
    assert notes[-1] == "left out 1 rows: parent_item_id is filled"


def test_a_cancelled_line_leaves_the_rest_of_its_order(tmp_path: Path) -> None:
    text = "amazon-order-id\tpurchase-date\torder-status\titem-status\tsku\tquantity\tcurrency\titem-price\n"
    text += "1\t2026-03-01T10:00:00Z\tShipped\tCancelled\tLID\t0\tUSD\t\n"
    text += "1\t2026-03-01T10:00:00Z\tShipped\tShipped\tPAN\t2\tUSD\t8.00\n"
    [event] = imported(tmp_path, text, load_export_mapping("amazon"))
    assert refusals([event]) == []
    assert event["properties"]["lines"] == [{"item_id": "PAN", "quantity": 2, "unit_price_minor": 400}]


def test_files_that_were_put_together_have_their_header_twice(tmp_path: Path) -> None:
    notes: list[str] = []
    text = HEAD + "1,A,1,1.00,2026-03-01,u\n" + HEAD + "2,A,1,1.00,2026-03-01,u\n"
    assert refusals(imported(tmp_path, text, mapping(), notes)) == []
    assert notes[-1] == "left out 1 rows: the header again"


@pytest.mark.parametrize("has_line_ids", [False, True])
def test_an_order_that_is_exported_again_after_a_refund_is_one_order_with_its_newest_refund(
    tmp_path: Path, has_line_ids: bool
) -> None:
    """matomo 10893, woocommerce 66217: the row differs by what was given back, and was a second line of the order."""
    line = ",7" if has_line_ids else ""
    head = HEAD.replace("\n", f"{',line' if has_line_ids else ''},back\n")
    (tmp_path / "march.csv").write_text(head + f"1,A,1,10.00,2026-03-01,u{line},0.00\n1,B,2,5.00,2026-03-01,u{line[:-1]}8,\n")
    (tmp_path / "april.csv").write_text(head + f"1,A,1,10.00,2026-03-01,u{line},4.00\n3,C,1,5.00,2026-04-01,v{line},\n")
    if not has_line_ids:
        (tmp_path / "march.csv").write_text(head + "1,A,1,10.00,2026-03-01,u,0.00\n1,B,2,5.00,2026-03-01,u,\n")
    rules = mapping(COLUMNS | {"refunded": "back"} | ({"line_id": "line"} if has_line_ids else {}))
    files = [tmp_path / "march.csv", tmp_path / "april.csv"]
    events = [json.loads(row) for row in order_lines(files, rules, "s", lambda done, total: None)]
    assert [(e["type"], e["properties"]["order_id"]) for e in events] == [
        *(("order_paid", "1"), ("order_refunded", "1"), ("order_paid", "3")),
    ]
    assert [(bought["item_id"], bought["quantity"]) for bought in events[0]["properties"]["lines"]] == [("A", 1), ("B", 2)]
    assert events[1]["properties"]["amount_minor"] == 400


def test_a_sum_of_refunds_that_grows_from_import_to_import_is_counted_once(tmp_path: Path) -> None:
    """4.00 were given back by March, 7.00 by April: 4.00 and 3.00, not 4.00 twice or alone."""
    rules = mapping(COLUMNS | {"refunded": "back"})
    landed: list[bytes] = []
    for month, so_far in enumerate(("4.00", "4.00", "7.00", "7.00")):
        file = tmp_path / f"{month}.csv"
        file.write_text(HEAD.replace("\n", ",back\n") + f"1,A,1,10.00,2026-03-01,u,{so_far}\n")
        landed += order_lines([file], rules, "s", lambda done, total: None, UnreturnedPurchases.of_events(landed))
    refunds = [e for e in map(json.loads, landed) if e["type"] == "order_refunded"]
    assert [(e["event_id"], e["properties"]["amount_minor"]) for e in refunds] == [
        ("refund-1-sum", 400),
        ("refund-1-sum-700", 300),
    ]


def test_a_line_that_stands_twice_in_two_files_is_one(tmp_path: Path) -> None:
    text = HEAD.replace("\n", ",line\n") + 2 * "1,A,1,1.00,2026-03-01,u,7\n"
    for name in ("a.csv", "b.csv"):
        (tmp_path / name).write_text(text)
    files, rules = [tmp_path / "a.csv", tmp_path / "b.csv"], mapping(COLUMNS | {"line_id": "line"})
    [event] = [json.loads(line) for line in order_lines(files, rules, "s", lambda done, total: None)]
    assert len(event["properties"]["lines"]) == 1


def test_a_number_that_no_engine_holds_is_refused_and_ends_nothing(tmp_path: Path) -> None:
    text = (
        HEAD + "1,A,1,99999999999999999999,2026-03-01,u\n2,A,99999999999999999999,1.00,2026-03-01,u\n3,A,1,1.00,2026-03-01,u\n"
    )
    events = imported(tmp_path, text, mapping())
    assert len(events) == 3
    assert refusals(events) == [
        "bad_value properties.lines.0.unit_price_minor",
        "bad_value properties.lines.0.quantity",
    ]


def test_a_price_that_is_a_text_is_not_multiplied(tmp_path: Path) -> None:
    """A text a billion times over fills the memory."""
    row = "#1,a@x,paid,2026-03-01 10:00:00 +0800,USD,1,0,0,9.00,,0,,999999999999,Mug,call us,MUG,0.00,5.00\n"
    paid, _ = imported(tmp_path, SHOPIFY + row, load_export_mapping("shopify"))
    assert refusals([paid]) == ["wrong_type properties.lines.0.unit_price_minor"]


def test_a_status_is_the_same_in_capital_letters(tmp_path: Path) -> None:
    """A voided order was a sale where the export wrote Voided."""
    text = HEAD.replace("\n", ",state\n") + "".join(
        f"{n},A,1,1.00,2026-03-0{n},u,{state}\n" for n, state in enumerate(("Paid", "VOIDED", "voided", "paid"), 1)
    )
    choices: tuple[dict[str, Any], ...] = (
        {"leave_out": [{"column": "state", "equals": ["voided"]}]},
        {"keep": [{"column": "state", "contains": ["PAID"]}]},
    )
    for rules in choices:
        assert [e["properties"]["order_id"] for e in imported(tmp_path, text, mapping(**rules))] == ["1", "4"]


def test_a_merged_cell_is_that_of_all_its_rows(tmp_path: Path) -> None:
    """Laravel-Excel 2961, ExcelDataReader 729: of an order's lines only the first had the order's number, buyer and time."""
    file = tmp_path / "orders.xlsx"
    with xlsxwriter.Workbook(file) as book:
        sheet = book.add_worksheet()
        sheet.merge_range("A1:G1", "订单导出")
        sheet.write_row("A2", ["order", "sku", "qty", "price", "at", "user", "shipping"])
        for row, cells in enumerate([("A", 1, 10.0), ("B", 2, 5.5), ("C", 1, 7.0), ("D", 1, None)], 3):
            sheet.write_row(f"B{row}", cells)
        for column, value in (("A", 100200300), ("E", "2026-03-01 10:00:00"), ("F", "小青"), ("G", 8)):
            sheet.merge_range(f"{column}3:{column}4", value)
            sheet.write(f"{column}5", value if column != "A" else 7)
        sheet.merge_range("D5:D6", 9.9)
        sheet.write("A6", 8)
        sheet.merge_range("A7:A9", "合计")
    lines = order_lines([file], mapping(COLUMNS | {"shipping": "shipping"}), "s", lambda done, total: None)
    events = {event["properties"]["order_id"]: event for event in map(json.loads, lines)}
    assert list(events) == ["8", "100200300", "7"]
    assert [
        (line["item_id"], line["quantity"], line["unit_price_minor"]) for line in events["100200300"]["properties"]["lines"]
    ] == [
        ("A", 1, 1000),
        ("B", 2, 550),
    ]
    assert events["100200300"]["properties"]["shipping_minor"] == 800, "what is of the order counts once"
    assert (events["100200300"]["user_id"], events["7"]["user_id"]) == ("小青", "小青")
    assert events["8"]["properties"]["lines"][0]["unit_price_minor"] is None, "a price over two rows is that of neither"


@pytest.mark.parametrize(("cell", "value"), [("٥٫٥٠", "5.50"), ("۱٬۲۳۴٫۵", "1234.5"), ("٢٬٠٠٠", "2000"), ("-٧", "-7")])
@pytest.mark.parametrize("digits", [2, 3])
def test_arabic_and_persian_numbers_have_signs_of_their_own(cell: str, value: str, digits: int) -> None:
    """DevExtreme-Intl 41, autoNumeric 342: the digits were known, the signs between them were not."""
    sign = clear_decimal_sign_of([cell], digits)
    assert sign is not None
    assert number(cell, sign) == number(cell, ",") == Decimal(value)
    assert clear_decimal_sign_of(["١٢.٥٠٠"]) is None, "as unclear as 12.500"


NOTED = "order,sku,qty,price,note,at,user\n"


@pytest.mark.parametrize(
    ("rows", "orders"),
    [
        # closed by the next quote, in the same, an earlier and a later column: what lies between is a cell
        ('1,A,1,10,"quick,2026-03-01,u\n2,A,1,10,,2026-03-01,u\n3,A,1,10,"now",2026-03-01,u\n4,A,1,10,,2026-03-01,u\n', ["4"]),
        ('1,A,1,10,"quick,2026-03-01,u\n2,A,1,10,,2026-03-01,"u"\n4,A,1,10,,2026-03-01,u\n', ["4"]),
        ('1,A,1,10,"quick,2026-03-01,u\n2,"A",1,10,,2026-03-01,u\n4,A,1,10,,2026-03-01,u\n', ["4"]),
        # notes of several lines, with and without commas
        ('1,A,1,10,"two\nlines, and more, of it",2026-03-01,u\n2,A,1,10,"a, b,\n\nc, d, e",2026-03-01,u\n', ["1", "2"]),
        ('1,A,1,10,27" wide,2026-03-01,u\n2,A,1,10,"so ""quoted""",2026-03-01,u\n', ["1", "2"]),
    ],
)
def test_rows_that_a_quote_swallowed_are_not_lost_in_silence(tmp_path: Path, rows: str, orders: list[str]) -> None:
    """apple/turicreate 1692, jschicht/Mft2Csv 9: rows stood in a note, and the order before had their time."""
    events = imported(tmp_path, NOTED + rows, mapping())
    good = [event["properties"]["order_id"] for event in events if isinstance(check_event(event, "s"), Event)]
    assert good == orders
    problems = [event["source"]["problem"] for event in events if "problem" in event["source"]]
    assert all("a quote is not closed" in problem or "cells under" in problem for problem in problems)
    assert bool(problems) == (len(orders) == 1)


def test_a_quote_that_is_open_at_the_end_is_no_import(tmp_path: Path) -> None:
    """osiegmar/FastCSV 173: the end of the file closed it, and the rows behind it were gone."""
    rows = "1,A,1,10,,2026-03-01,u\n" + '2,A,1,10,"quick,2026-03-01,u\n' + "3,A,1,10,,2026-03-01,u\n" * 5
    with pytest.raises(LandingError, match=r"a quote is not closed.*quick"):
        imported(tmp_path, NOTED + rows, mapping())


@pytest.mark.parametrize("end", ["\x1a", "\n\x1a", "\n\0\0", "", "\n\n"])
def test_marks_of_the_end_are_no_row(tmp_path: Path, end: str) -> None:
    assert len(imported(tmp_path, HEAD + "1,A,1,10,2026-03-01,u" + end, mapping())) == 1
