"""Files as other systems write them: encodings, wrapped ids, number formats, preambles, workbooks, offsets, overlaps."""

from __future__ import annotations

import json
import zipfile
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from imports.order_mapping import ExportMapping
from imports.orders import order_lines
from imports.preview import ImportClock, preview, totals_of
from jishi.amounts import decimal_sign_of, number
from jishi.contract import Event, check_event
from jishi.landing import LandingError

ORDER = {
    "order_id": "order",
    "item_id": "sku",
    "quantity": "qty",
    "unit_price": "price",
    "occurred_at": "at",
    "user_id": "user",
}
CHINESE = {
    **{"order_id": "订单编号", "item_id": "宝贝编号", "quantity": "购买数量", "unit_price": "单价"},
    **{"occurred_at": "订单付款时间", "user_id": "买家会员名"},
}
CHINESE_TEXT = (
    "订单编号,买家会员名,宝贝编号,购买数量,单价,订单付款时间\r\n"
    '="2163500012345678901",小青,="0012345",1,59.90,2026-03-01 10:00:00\r\n'
    '"2163500012345678902\t",阿木,0012346\t,2,1280.00,2026-03-01 11:00:00\r\n'
)


def mapping(columns: dict[str, Any] = ORDER, **keys: Any) -> ExportMapping:
    return ExportMapping.model_validate({"currency": "EUR", "time_zone": "UTC", "columns": columns} | keys)


def imported(folder: Path, rules: ExportMapping, **contents: str | bytes) -> list[dict[str, Any]]:
    """Events of files ``<name>.csv`` with these contents, in the order of the arguments."""
    files = []
    for name, content in contents.items():
        file = folder / f"{name}.csv"
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
        files.append(file)
    return [json.loads(line) for line in order_lines(files, rules, "s", lambda done, total: None)]


def lines_of(event: dict[str, Any]) -> list[dict[str, Any]]:
    return list(event["properties"]["lines"])


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gbk", "gb18030", "utf-16", "utf-16-le", "big5hkscs"])
def test_every_encoding_gives_the_same_orders_with_their_own_ids(tmp_path: Path, encoding: str) -> None:
    text = CHINESE_TEXT if encoding != "big5hkscs" else CHINESE_TEXT.replace("单", "單").replace("买", "買").replace("购", "購")
    columns = CHINESE
    if encoding == "big5hkscs":
        text = "order,user,sku,qty,price,at\r\n" + text.split("\r\n", 1)[1].replace("编", "編")
        columns = ORDER
    rules = mapping(columns, currency="CNY", time_zone="Asia/Shanghai")
    first, second = imported(tmp_path, rules, f=text.encode(encoding))
    assert first["properties"]["order_id"] == "2163500012345678901"
    assert lines_of(first) == [{"item_id": "0012345", "quantity": 1, "unit_price_minor": 5990}]
    assert (second["properties"]["order_id"], lines_of(second)[0]["item_id"]) == ("2163500012345678902", "0012346")
    assert first["occurred_at"] == "2026-03-01T10:00:00+08:00"
    if encoding != "big5hkscs":
        assert (first["user_id"], second["user_id"]) == ("小青", "阿木")


def test_a_western_export_is_not_read_as_chinese(tmp_path: Path) -> None:
    text = "order,sku,qty,price,at,user\n1,Café crème,1,2.50,2026-01-01,Zoë\n"
    [order] = imported(tmp_path, mapping(), f=text.encode("cp1252"))
    assert (lines_of(order)[0]["item_id"], order["user_id"]) == ("Café crème", "Zoë")


def test_a_decimal_comma_is_found_out_for_the_whole_file(tmp_path: Path) -> None:
    text = (
        "order;sku;qty;price;discount;at;user\nB1;X;1;12,50;2,50;01.03.2026 10:00;u1\n"
        "B1;Y;2;3,20;0,00;01.03.2026 10:00;u1\nB2;X;1;1.012,50;100,00;02.03.2026 10:00;u2\n"
        "B3;X;1;1.012;0,00;02.03.2026 11:00;u2\n"
    )
    rules = mapping(ORDER | {"discount": "discount"}, time_zone="Europe/Berlin", time_format="%d.%m.%Y %H:%M")
    first, second, third = imported(tmp_path, rules, f=text)
    assert [(line["unit_price_minor"], line.get("discount_minor")) for line in lines_of(first)] == [(1250, 250), (320, None)]
    assert (lines_of(second)[0]["unit_price_minor"], lines_of(second)[0]["discount_minor"]) == (101250, 10000)
    assert lines_of(third)[0]["unit_price_minor"] == 101200, "1.012 is a thousand and twelve where 12,50 stands beside it"


@pytest.mark.parametrize(
    ("text", "sign", "value"),
    [
        ("1,234.50", ".", "1234.50"),
        ("1.234,50", ",", "1234.50"),
        ("¥ 1,280.00", ".", "1280.00"),
        ("￥12．50", ".", "12.50"),
        ("EUR 7,5", ",", "7.5"),
        ("1 234,50 €", ",", "1234.50"),
        ("1'234.50", ".", "1234.50"),
        ("(12.50)", ".", "-12.50"),
        ("12.50-", ".", "-12.50"),
        ("−3", ".", "-3"),
        ("1,00,000.00", ".", "100000.00"),
        ("1.28E+3", ".", "1280"),
        ("12,50", ".", None),
        ("1,2,3", ".", None),
        ("1e999999", ".", None),
        ("-1E+400", ".", None),
        ("1e-999999", ".", None),
        ("NaN", ".", None),
        ("Infinity", ".", None),
        ("many", ".", None),
        ("", ".", None),
        ("9" * 50, ".", None),
    ],
)
def test_numbers_as_people_write_them(text: str, sign: Any, value: str | None) -> None:
    assert number(text, sign) == (None if value is None else Decimal(value))


@given(st.decimals(allow_nan=False, allow_infinity=False, places=2, min_value=0, max_value=10**12), st.sampled_from([".", ","]))
def test_a_grouped_number_comes_back_in_either_convention(value: Decimal, sign: Any) -> None:
    text = f"{value:,.2f}"
    if sign == ",":
        text = text.translate(str.maketrans(",.", ".,"))
    assert decimal_sign_of([text]) == sign
    assert number(text, sign) == value


@given(st.text(max_size=30))
def test_no_text_raises(text: str) -> None:
    number(text, ".")
    number(text, ",")
    decimal_sign_of([text, None])


PREAMBLE = "店铺订单导出\n导出时间：2026-03-31 10:00:00\n----------------\n"
TABLE = 'order,sku,qty,price,at,user\nP1,"27"" 显示器",1,999.00,2026-03-01 10:00:00,b1\nP2,A,2,10.00,2026-03-02 10:00:00,b2\n'


@pytest.mark.parametrize(
    "text",
    [
        PREAMBLE + TABLE,
        TABLE + "合计,,3,1019.00,,\n",
        TABLE + "\n\n",
        TABLE.replace("\n", "\r"),
        TABLE.replace("order,", "order ,"),
        TABLE.replace('"27"" 显示器"', '27" 显示器'),
        TABLE.replace("user\n", "user,,\n").replace("b1\n", "b1,,\n"),
    ],
    ids=["preamble", "total", "blank", "cr", "spaces", "quote", "blank-columns"],
)
def test_a_table_is_found_among_what_else_a_file_holds(tmp_path: Path, text: str) -> None:
    first, second = imported(tmp_path, mapping(), f=text)
    assert lines_of(first) == [{"item_id": '27" 显示器', "quantity": 1, "unit_price_minor": 99900}]
    assert lines_of(second) == [{"item_id": "A", "quantity": 2, "unit_price_minor": 1000}]


def test_a_row_with_too_many_or_too_few_cells_is_kept_for_the_quarantine(tmp_path: Path) -> None:
    events = imported(tmp_path, mapping(), f=TABLE + "P4,A,1,1,234.00,2026-03-03 10:00:00,b4\nP3,A,1,5.00\n")
    good = [event for event in events if isinstance(check_event(event, "s"), Event)]
    assert [event["properties"]["order_id"] for event in good] == ["P1", "P2"]
    assert len(events) == 4
    assert any("7 cells under 6 columns" in event["source"].get("problem", "") for event in events)


def test_files_without_a_row_are_no_import(tmp_path: Path) -> None:
    for content in ("order,sku,qty,price,at,user\n", "\n\n"):
        with pytest.raises(LandingError, match="kept"):
            imported(tmp_path, mapping(), f=content)


def test_a_quote_that_is_not_closed_is_named(tmp_path: Path) -> None:
    with pytest.raises(LandingError, match="a quote is not closed"):
        imported(tmp_path, mapping(), f=TABLE + 'P5,"open,1,1.00,2026-03-03,u\n' + "P6,A,1,1.00,2026-03-04,u\n" * 300)


def test_ids_are_those_of_the_other_system(tmp_path: Path) -> None:
    text = "order,sku,qty,price,at,user\n536365.0,85123A,6,2.55,2010-12-01,17850.0\n2.1635E+18,A,1,1.00,2010-12-02,u\n"
    first, rounded = imported(tmp_path, mapping(), f=text)
    assert (first["properties"]["order_id"], first["user_id"]) == ("536365", "17850")
    assert not isinstance(check_event(rounded, "s"), Event), "an id that a spreadsheet rounded would merge orders"


def test_a_refund_is_what_was_paid_and_belongs_to_its_occasion(tmp_path: Path) -> None:
    text = (
        "order,sku,qty,price,discount,at,user\n"
        "R1,COAT,3,100.00,30.00,2026-01-05 10:00:00,fay\nR1,COAT,-3,100.00,-30.00,2026-01-09 10:00:00,fay\n"
        "R2,HAT,1,50.00,10.00,2026-01-06 10:00:00,gus\nR2,HAT,-1,50.00,10.00,2026-01-10 10:00:00,gus\n"
        "R3,SOCK,4,5.00,4.00,2026-01-07 10:00:00,hal\nR3,SOCK,-1,5.00,,2026-01-11 10:00:00,hal\n"
        "R3,SOCK,-1,5.00,,2026-06-11 10:00:00,hal\n"
    )
    rules = mapping(ORDER | {"discount": "discount"}, cancellation={"column": "qty", "below": 0, "order_id": "order"})
    events = imported(tmp_path, rules, f=text)
    assert all(isinstance(check_event(event, "s"), Event) for event in events)
    refunds = [event["properties"] for event in events if event["type"] == "order_refunded"]
    assert [(r["order_id"], r["amount_minor"]) for r in refunds] == [("R1", 27000), ("R2", 4000), ("R3", 400), ("R3", 400)]
    assert len({r["refund_id"] for r in refunds}) == 4


def test_an_orders_own_discount_and_shipping_stand_on_its_first_row(tmp_path: Path) -> None:
    text = (
        "order,sku,qty,price,at,user,off,ship\n1,A,1,10.00,2026-01-01,u,3.00,5.00\n1,B,1,20.00,,,,\n"
        "2,A,-1,10.00,2026-02-01,u,,\n"
    )
    columns = ORDER | {"order_discount": "off", "shipping": "ship"}
    rules = mapping(columns, cancellation={"column": "qty", "below": 0})
    paid, refund = imported(tmp_path, rules, f=text)
    assert (paid["properties"]["discount_minor"], paid["properties"]["shipping_minor"]) == (300, 500)
    assert refund["properties"]["order_id"] == "1"
    assert refund["properties"]["amount_minor"] == 900, "10.00 less its tenth of the order's discount: 1000 − 300 · 1000 / 3000"


def test_currencies_have_their_own_digits(tmp_path: Path) -> None:
    text = (
        "order,sku,qty,price,at,user,cur\nM1,X,1,100.00,2026-03-01,u1,EUR\nM2,X,1,15000,2026-03-01,u2,JPY\n"
        "M3,X,1,1.500,2026-03-01,u3,KWD\n"
    )
    events = imported(tmp_path, mapping(ORDER | {"currency": "cur"}), f=text)
    assert [(e["properties"]["currency"], lines_of(e)[0]["unit_price_minor"]) for e in events] == [
        ("EUR", 10000),
        ("JPY", 15000),
        ("KWD", 1500),
    ]
    [yen] = imported(tmp_path, mapping(currency="JPY"), g="order,sku,qty,price,at,user\nJ1,X,1,1980,2026-03-01,u1\n")
    assert lines_of(yen)[0]["unit_price_minor"] == 1980


def test_offsets_may_differ_within_a_file_and_order_is_that_of_instants(tmp_path: Path) -> None:
    text = (
        "order,sku,qty,price,at,user\n1,A,1,1.00,2026-03-01T10:00:00+08:00,u\n2,A,1,1.00,2026-03-01T01:30:00+00:00,u\n"
        "3,A,1,1.00,2026-02-28T22:00:00-05:00,u\n"
    )
    events = imported(tmp_path, mapping(), f=text)
    assert [event["properties"]["order_id"] for event in events] == ["2", "1", "3"]  # 01:30, 02:00 and 03:00 UTC
    with pytest.raises(ValueError, match="%z for offsets"):
        mapping(time_format="%Y-%m-%d %Z")


def test_serial_dates_where_the_mapping_says_so(tmp_path: Path) -> None:
    text = "order,sku,qty,price,at,user\n1,A,1,1.00,46082.75,u\n"
    [event] = imported(tmp_path, mapping(time_format="excel_serial"), f=text)
    assert datetime.fromisoformat(event["occurred_at"]) == datetime(2026, 3, 1, 18, tzinfo=UTC)


def test_the_same_rows_in_two_files_count_once_and_twice_in_one_file_twice(tmp_path: Path) -> None:
    head, row = "order,sku,qty,price,at,user\n", "1,A,1,1.00,2026-01-01,u\n"
    [event] = imported(tmp_path, mapping(), january=head + row + row, both=head + row + row + "1,B,1,2.00,2026-01-01,u\n")
    assert [line["item_id"] for line in lines_of(event)] == ["A", "A", "B"]
    keyed = mapping(ORDER | {"line_id": "line"})
    text = "order,line,sku,qty,price,at,user\n1,7,A,1,1.00,2026-01-01,u\n1,7,A,1,1.00,2026-01-01,u\n"
    [event] = imported(tmp_path, keyed, keyed=text)
    assert len(lines_of(event)) == 1


def test_row_filters_hold_for_the_whole_order_and_are_counted(tmp_path: Path) -> None:
    text = (
        "order,sku,qty,price,at,user,state\n1,A,1,1.00,2026-01-01,u,paid\n1,B,1,1.00,,,\n"
        "2,A,1,1.00,2026-01-02,u,open\n2,B,1,1.00,,,\n"
    )
    file = tmp_path / "f.csv"
    file.write_text(text)
    notes: list[str] = []
    rules = mapping(keep=[{"column": "state", "equals": ["paid"]}])
    [event] = [json.loads(x) for x in order_lines([file], rules, "s", lambda done, total: None, notes=notes.append)]
    assert [line["item_id"] for line in lines_of(event)] == ["A", "B"]
    assert notes[-1] == "left out 2 rows: state is open"


def write_workbook(file: Path, rows: list[list[str | float]]) -> None:
    """The smallest workbook that holds these rows: one sheet, numbers and texts in the cells themselves."""
    cells = "".join(
        "<row>"
        + "".join(
            f'<c t="inlineStr"><is><t>{cell}</t></is></c>' if isinstance(cell, str) else f"<c><v>{cell}</v></c>" for cell in row
        )
        + "</row>"
        for row in rows
    )
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    package = "http://schemas.openxmlformats.org/package/2006"
    parts = {
        "[Content_Types].xml": f'<Types xmlns="{package}/content-types">'
        '<Default Extension="xml" ContentType="application/xml"/>'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/></Types>',
        "_rels/.rels": f'<Relationships xmlns="{package}/relationships"><Relationship Id="r" Type="{office}/officeDocument" '
        'Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{main}" xmlns:r="{office}"><sheets><sheet name="Orders" sheetId="1" r:id="s"/>'
        "</sheets></workbook>",
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{package}/relationships"><Relationship Id="s" '
        f'Type="{office}/worksheet" Target="worksheets/sheet1.xml"/></Relationships>',
        "xl/worksheets/sheet1.xml": f'<worksheet xmlns="{main}"><sheetData>{cells}</sheetData></worksheet>',
    }
    with zipfile.ZipFile(file, "w") as book:
        for name, content in parts.items():
            book.writestr(name, content)


def test_a_workbook_is_a_table_too(tmp_path: Path) -> None:
    head: list[str | float] = ["order", "sku", "qty", "price", "at", "user"]
    row: list[str | float] = [536365, "A", 2, 12.5, 46082.75, 17850.0]
    write_workbook(tmp_path / "f.xlsx", [["Export of orders"], head, row])
    rules = mapping(time_zone="Asia/Tokyo", time_format="excel_serial")
    [event] = [json.loads(x) for x in order_lines([tmp_path / "f.xlsx"], rules, "s", lambda done, total: None)]
    assert (event["properties"]["order_id"], event["user_id"]) == ("536365", "17850")
    assert event["occurred_at"] == "2026-03-01T18:00:00+09:00"
    assert lines_of(event) == [{"item_id": "A", "quantity": 2, "unit_price_minor": 1250}]
    with pytest.raises(LandingError, match="has no sheet 'Sales'; it has Orders"):
        list(order_lines([tmp_path / "f.xlsx"], mapping(sheet="Sales"), "s", lambda done, total: None))


def test_a_dry_run_counts_sums_and_names_refusals(tmp_path: Path) -> None:
    file = tmp_path / "f.csv"
    file.write_text(TABLE + "P3,A,many,1.00,2026-03-03 10:00:00,b\n")
    totals = totals_of(order_lines([file], mapping(), "s", lambda done, total: None), "s")
    assert (totals.events["order_paid"], totals.paid_minor) == (2, {"EUR": 99900 + 2000})
    assert totals.refused == {"wrong_type properties.lines.0.quantity": 1}
    assert "f.csv row 3" in totals.examples["wrong_type properties.lines.0.quantity"]


def test_a_dry_run_counts_what_the_file_is_about(capsys: pytest.CaptureFixture[str]) -> None:
    item: dict[str, Any] = {"event_id": "e", "shop_id": "s", "type": "item_changed", "occurred_at": "2026-01-01T00:00:00Z"}
    item["properties"] = {"item_id": "i", "title": "Tee", "category": "t", "unit_price_minor": 1, "currency": "EUR"}
    clock = ImportClock(int(datetime(2026, 11, 30, tzinfo=UTC).timestamp() * 1000), 5000)
    preview(iter([json.dumps(item).encode()]), "s", "EUR", clock)
    rows = [line for line in capsys.readouterr().out.splitlines() if "│" in line]
    assert [[cell.strip() for cell in row.split("│")[1:3]] for row in rows] == [["item_changed", "1"]]


def test_a_dry_run_names_rows_of_days_to_come(tmp_path: Path) -> None:
    """The import puts them into quarantine as future, so that they are no money and no newest day."""
    file = tmp_path / "f.csv"
    file.write_text(TABLE + "P3,A,1,1.00,2027-03-03 10:00:00,b\n")
    now = int(datetime(2026, 11, 30, tzinfo=UTC).timestamp() * 1000)
    totals = totals_of(order_lines([file], mapping(), "s", lambda done, total: None), "s", clock=ImportClock(now, 5000))
    assert (totals.events["order_paid"], totals.refused) == (2, {"future occurred_at": 1})
    assert "has not come yet" in totals.examples["future occurred_at"]


def test_yaml_of_a_mapping_says_what_is_wrong(tmp_path: Path) -> None:
    from imports.order_mapping import load_export_mapping

    file = tmp_path / "m.yaml"
    file.write_text(yaml.safe_dump({"currency": "ZZZ", "columns": {}}))
    with pytest.raises(LandingError, match=r"currency.*ISO 4217"):
        load_export_mapping(file)
    file.write_text("just text")
    with pytest.raises(LandingError, match="holds no mapping"):
        load_export_mapping(file)


def test_a_column_may_be_called_no_or_off(tmp_path: Path) -> None:
    """YAML 1.1 takes these words for truth values."""
    from imports.order_mapping import load_export_mapping

    file = tmp_path / "m.yaml"
    file.write_text("currency: EUR\ncolumns: {order_id: No, item_id: on, quantity: y, unit_price: off, occurred_at: Yes}\n")
    assert list(load_export_mapping(file).columns.values()) == ["No", "on", "y", "off", "Yes"]
