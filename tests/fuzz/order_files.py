"""Export files of order lines as shops have them, with what is right about each computed beside it in whole minor units."""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from imports.order_mapping import ExportMapping
from imports.table_file import clean
from tests.fuzz.inputs import TEXTS

COLUMNS = ("order", "sku", "qty", "price", "discount", "at", "user", "status")
CHINESE = ("订单编号", "商家编码", "购买数量", "单价", "优惠金额", "付款时间", "买家会员名", "订单状态")
FIELDS = ("order_id", "item_id", "quantity", "unit_price", "discount", "occurred_at", "user_id")
DIGITS = {"EUR": 2, "JPY": 0, "KWD": 3}
SIGNS = {"EUR": ["{}", "€{}", "{} €", "EUR {}"], "JPY": ["{}", "¥ {}", "{}円", "JPY{}"], "KWD": ["{}", "KWD {}", "{} KWD"]}
FIRST = datetime(2026, 3, 1, tzinfo=UTC)
_Form = Callable[[datetime], str]
# How a file writes instants → what its mapping says of them.
TIMES: dict[str, tuple[_Form, str | None]] = {
    "iso": (lambda at: f"{at:%Y-%m-%d %H:%M:%S}", None),
    "offset": (lambda at: f"{at + timedelta(hours=8):%Y-%m-%dT%H:%M:%S}+08:00", None),
    "german": (lambda at: f"{at:%d.%m.%Y %H:%M:%S}", "%d.%m.%Y %H:%M:%S"),
    "american": (lambda at: f"{at:%m/%d/%Y %H:%M:%S} +0000", "%m/%d/%Y %H:%M:%S %z"),
    "serial": (lambda at: repr((at - datetime(1899, 12, 30, tzinfo=UTC)) / timedelta(days=1)), "excel_serial"),
}


@dataclass
class OrderFile:
    """Content and mapping; ``rows`` of data; lines, paid and refunded amounts of each order all of whose rows are sound."""

    content: bytes
    mapping: ExportMapping
    has_sure_encoding: bool = True  # named, or seen by the file's first bytes
    rows: int = 0
    lines: dict[str, list[tuple[str, int, int]]] = field(default_factory=dict)
    paid: dict[str, int] = field(default_factory=dict)
    refunded: dict[str, int] = field(default_factory=dict)
    at: dict[str, datetime] = field(default_factory=dict)
    unreadable: set[str] = field(default_factory=set)  # orders with a word where an amount should be


def money(minor: int, digits: int, sign: str, grouped: bool, symbol: str) -> str:
    """An amount as a shop's program writes it, made of its digits alone."""
    whole, fraction = divmod(abs(minor), 10**digits)
    text = f"{whole:,}".replace(",", "." if sign == "," else ",") if grouped else str(whole)
    text += f"{sign}{fraction:0{digits}}" if digits else ""
    return symbol.format(text) if minor >= 0 else "-" + text


SOUND = st.fixed_dictionaries(
    {
        "order": st.integers(0, 3),
        "sku": st.sampled_from(["A", "B 1", "0012", "C,;d", 'say "x"']),
        "qty": st.integers(1, 1200),
        "price": st.integers(1, 10**8) | st.integers(1, 999),
        "share": st.sampled_from([0, 0, 1, 50, 100]),
        "kind": st.sampled_from(["sound"] * 5 + ["cancelled", "back"]),
    }
)
BROKEN = st.fixed_dictionaries(
    {
        "row": SOUND,
        "kind": st.sampled_from(["cell", "cell", "cell", "more", "fewer", "total", "blank"]),
        "place": st.integers(0, len(COLUMNS) - 1),
        "text": TEXTS
        | st.sampled_from(["many", "1e30", "9" * 30, "12,50,3", "-", "2.16E+18", "-5", "0", "1.5", "99999999999999999"]),
    }
)


@st.composite
def order_files(draw: st.DrawFn) -> OrderFile:
    """A file of up to twelve rows."""
    currency = draw(st.sampled_from(["EUR", "EUR", "JPY", "KWD"]))
    digits, sign = DIGITS[currency], draw(st.sampled_from([".", ","]))
    drawn = draw(st.lists(SOUND | SOUND | BROKEN, min_size=1, max_size=12))
    is_clean = all(row["kind"] in ("sound", "cancelled", "back") for row in drawn)
    encoding, names = draw(
        st.sampled_from(
            [
                *(("utf-8", COLUMNS), ("utf-8", CHINESE), ("utf-8-sig", CHINESE), ("utf-16", CHINESE), ("gb18030", CHINESE)),
                *(("cp1252", COLUMNS), ("big5", COLUMNS), ("utf-16-le", COLUMNS), ("utf-32", COLUMNS), ("gbk", CHINESE)),
            ]
        )
    )
    is_named = encoding not in ("utf-8", "utf-8-sig", "utf-16", "utf-32") and (not is_clean or draw(st.booleans()))
    delimiter = draw(st.sampled_from([",", ";", "\t", "|"]))
    time_form = draw(st.sampled_from(sorted(TIMES)))
    write_time, time_format = TIMES[time_form]
    symbol = draw(st.sampled_from(SIGNS[currency]))
    # One amount of two decimals tells the sign of a file; anything else the mapping must say.
    tells = is_clean and digits == 2 and not draw(st.booleans())
    rules: dict[str, Any] = {
        "currency": currency,
        "columns": dict(zip(FIELDS, names, strict=False)),
        "leave_out": [{"column": names[-1], "equals": ["cancelled"]}],
        "cancellation": {"column": names[2], "below": 0, "order_id": names[0]},
        "time_format": time_format,
        "decimal": None if tells else sign,
        "encoding": encoding if is_named else None,
        "delimiter": delimiter if draw(st.booleans()) else None,
    }
    wrap = draw(st.sampled_from(["{}", "{}", '="{}"', "{}\t", " {} ", "\u200b{}"])) if encoding.startswith("utf") else "{}"
    grouped = draw(st.booleans())

    def written(minor: int) -> str:
        return money(minor, digits, sign, grouped, symbol if encoding.startswith("utf") else "{}")

    def cells_of(row: dict[str, Any]) -> list[str]:
        discount = row["qty"] * row["price"] * row["share"] // 100 if row["kind"] != "back" else 0
        at = FIRST + timedelta(hours=7 * row["order"], seconds=row["order"])
        at += timedelta(days=40) if row["kind"] == "back" else timedelta()
        quantity = -row["qty"] if row["kind"] == "back" else row["qty"]
        return [
            *(wrap.format(f"o-{row['order']}"), row["sku"], str(quantity), written(row["price"])),
            *(written(discount) if discount else "", write_time(at), f"u{row['order'] % 2}"),
            "cancelled" if row["kind"] == "cancelled" else "paid",
        ]

    is_sure = is_named or encoding in ("utf-8", "utf-8-sig", "utf-16", "utf-32")
    file = OrderFile(b"", ExportMapping.model_validate(rules), is_sure)
    table: list[list[str]] = []
    unsound: set[str] = set()
    discounted: set[str] = set()
    lines: dict[str, list[tuple[str, int, int]]] = defaultdict(list)
    for row in drawn:
        kind = row["kind"]
        if kind in ("sound", "cancelled", "back"):
            table.append(cells_of(row))
            order = f"o-{row['order']}"
            gross = row["qty"] * row["price"]
            if kind == "back":
                file.refunded[order] = file.refunded.get(order, 0) + gross
            elif kind == "sound":
                discount = gross * row["share"] // 100
                lines[order].append((row["sku"], row["qty"], gross - discount))
                file.at[order] = FIRST + timedelta(hours=7 * row["order"], seconds=row["order"])
                if discount:
                    discounted.add(order)
            continue
        cells = cells_of(row["row"])
        if kind not in ("total", "blank"):
            unsound.add(f"o-{row['row']['order']}")
        if kind == "cell":
            cells[row["place"]] = row["text"].replace("\r", " ")  # which csv does not quote
            if row["text"] == "many" and row["place"] in (2, 3, 4) and row["row"]["kind"] == "sound":
                file.unreadable.add(f"o-{row['row']['order']}")
        elif kind == "more":
            cells.insert(row["place"], "one more")
        elif kind == "fewer":
            cells = cells[: row["place"]]
        elif kind == "total":
            cells = ["合计" if "gb" in encoding or names is CHINESE else "Total:", "", "", cells[3], "", "", "", ""]
        else:
            cells = ["", " ", "", "", "", "", "", ""]
        table.append(cells)
    file.lines = {order: of_order for order, of_order in lines.items() if order not in unsound}
    file.paid = {order: sum(net for _, _, net in of_order) for order, of_order in file.lines.items()}
    file.refunded = {order: sum_ for order, sum_ in file.refunded.items() if order not in unsound | discounted}
    file.rows = sum(any(map(clean, cells)) for cells in table)
    text = io.StringIO(newline="")
    quoting = draw(st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]))
    line_end = draw(st.sampled_from(["\n", "\r\n"]))
    writer = csv.writer(text, delimiter=delimiter, quoting=quoting, lineterminator=line_end)
    for line in draw(st.lists(st.sampled_from(["Export of orders", "2026-03-31", "----", "", "a", "x" * 300]), max_size=4)):
        text.write(line + line_end)
    note = draw(st.sampled_from([[], ["", ""], ["two\nlines; 1,5", ""]]))
    writer.writerow([*names, *("" for _ in note)])
    writer.writerows([[*cells, *(note if any(map(clean, cells)) else [])] for cells in table])
    file.content = text.getvalue().encode(encoding, errors="replace")
    return file
