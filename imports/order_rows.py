"""Rows of export files, cleaned, filtered and grouped: a group is one order, or what was taken back on one occasion.

Groups come in the order of time, as instants: files may mix offsets. A row that is there twice because two files overlap counts
once, however each file writes its ids, numbers and times, and whatever was given back between the two; one that is there twice
within a file was sold twice. What is left out is counted by reason, never in silence.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

from imports.order_mapping import ExportMapping, RowRule
from imports.table_file import NumberCell, TableFile, TableRow, identifier, read_table
from jishi.amounts import DecimalSign, clear_decimal_sign_of, number
from jishi.currency_signs import currencies_named, currency_code
from jishi.landing import LandingError
from jishi.money import CURRENCY_DIGITS

REFUNDS = ("refunded", "line_refunded")
MONEY = (
    *("unit_price", "line_price", "discount", "order_discount", "shipping", "line_shipping", "order_total", "stock"),
    *REFUNDS,
)
# What is each line's own: merged cells of several rows hold a sum of them, or nobody knows what.
_OF_A_LINE = ("line_id", "quantity", "unit_price", "line_price", "discount", "line_shipping", "line_refunded", "stock")
_IDS = ("order_id", "line_id", "item_id", "user_id")
_LATER = (*REFUNDS, "refunded_at")  # what becomes of a line afterwards: a later export of the same line has more of it
_Key = tuple[object, ...]
_TOTAL_WORDS = {
    "合计",
    "总计",
    "小计",
    "合計",
    "総計",
    "total",
    "grand total",
    "subtotal",
    "sum",
    "summe",
    "gesamt",
    "totale",
    "итого",
}
# What programs and people write into a cell that holds nothing, and for the customer of an order that has none.
_NOTHING = {
    "null",
    "none",
    "nan",
    "undefined",
    "n/a",
    "#n/a",
    "\\n",
    "-",
    "--",
    "—",
    "——",
    "/",
    "无",
    "無",
    "无退款申请",
    "没有申请退款",
}
_NOBODY = {
    "0",
    "-1",
    "guest",
    "anonymous",
    "not_authenticated",
    "匿名",
    "匿名用户",
    "游客",
    "ゲスト",
    "gast",
    "invité",
    "invitado",
    "ospite",
}
_CURRENCY_COLUMN = re.compile(
    r"curr?\b|curren|ccy|devise|währung|waehrung|moneda|valuta|币种|币别|货币|幣別|通貨", re.IGNORECASE
)
_START = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True)
class ExportRow:
    """One row: fields by the mapping's names, raw cells by column, where it stands, and when it happened (None: unreadable).

    ``is_after_refunds``: its quantity lacks what was given back.
    """

    fields: dict[str, str | None]
    cells: dict[str, str | None]
    file: str
    number: int
    at: datetime | None
    problem: str | None
    signs: dict[str, DecimalSign]
    is_after_refunds: bool = False

    def amount(self, name: str) -> Decimal | str | None:
        """The field as an exact number; its text when it is none; None when it is empty."""
        text = self.fields.get(name)
        value = _number(text, self.signs.get(name, "."))
        return text if value is None else value


def _number(cell: str | None, sign: DecimalSign) -> Decimal | None:
    """The exact number of a cell whose column has this decimal sign, or None when it holds none."""
    return number(cell, "." if isinstance(cell, NumberCell) else sign)


@dataclass
class Export:
    """All rows of an import. ``left_out`` counts rows by the reason for which they are no order line."""

    rows: list[ExportRow] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)
    read_as: dict[str, str] = field(default_factory=dict)


def read_export(files: Sequence[Path], mapping: ExportMapping) -> Export:
    """Every row of the files that the mapping keeps. Raises LandingError, also when no file has a row at all."""
    export = Export()
    in_earlier_files: Counter[_Key] = Counter()
    places: dict[tuple[_Key, int], int] = {}  # of the rows that are kept, by key and number among its equals
    number_of_row = 0
    whole_order: dict[tuple[str, str], str] = {}
    instants: dict[str | None, datetime | None] = {}
    later = _may_change(mapping)
    for file in files:
        table = read_table(file, mapping.wanted, mapping.reading)
        export.read_as[file.name] = table.read_as
        _refuse_other_currencies(file.name, table, mapping)
        column_of, signs = _columns(file.name, table, mapping)
        names_of = {name: [column for column in mapping.names_of(name) if column in table.columns] for name in column_of}
        in_this_file: Counter[_Key] = Counter()
        for row in table.rows:
            number_of_row += 1
            if (reason := _left_out(row, column_of, mapping, whole_order)) is not None:
                export.left_out[reason] += 1
                continue
            fields = {name: _first(row, names, name) for name, names in names_of.items()}
            after = bool(mapping.after_refunds) and _used(row, names_of["quantity"], "quantity") in mapping.after_refunds
            if after:
                fields = {name: text for name, text in fields.items() if name not in REFUNDS}
            fields |= {name: _text(value) for name, value in mapping.defaults.items() if fields.get(name) is None}
            when = fields.get("occurred_at")
            if when not in instants:
                instants[when] = mapping.instant(when)
            export_row = ExportRow(fields, row.cells, file.name, number_of_row, instants[when], row.problem, signs, after)
            key = _key(export_row, column_of, later)
            in_this_file[key] += 1
            if _line_id(export_row, column_of) is not None and in_this_file[key] > 1:
                export.left_out["the same line again"] += 1
                continue
            if row.problem is None and in_this_file[key] <= in_earlier_files[key]:
                export.left_out["the same row of an earlier file"] += 1
                place = places[key, in_this_file[key]]
                export.rows[place] = _with_later(export.rows[place], export_row)
                continue
            places[key, in_this_file[key]] = len(export.rows)
            export.rows.append(export_row)
        in_earlier_files |= in_this_file
    if number_of_row == 0:
        names = ", ".join(file.name for file in files)
        raise LandingError(f"{names}: there is a header and no row; nothing was imported, and what was there before is kept")
    return export


def _refuse_other_currencies(file: str, table: TableFile, mapping: ExportMapping) -> None:
    """A column of currencies that the mapping leaves out would make euros of yen. Raises LandingError."""
    if "currency" in mapping.columns or "currency" in mapping.defaults:
        return
    for column in table.columns:
        if not _CURRENCY_COLUMN.search(column):
            continue
        codes = {cell.upper() for row in table.rows if (cell := row.cells.get(column)) is not None}
        if codes <= CURRENCY_DIGITS.keys() and codes - {mapping.currency}:
            raise LandingError(
                f"{file}: column {column!r} holds {', '.join(sorted(codes))}, and amounts would be {mapping.currency}; "
                f"add currency: {column} below columns, or currency: {mapping.currency} below defaults if they are"
            )


def fits(rule: RowRule, cells: dict[str, str | None], sign: DecimalSign = ".") -> bool:
    """Whether a row is one of the rule's; an empty cell fits no rule. ``sign`` is the decimal sign of numbers."""
    cell = cells.get(rule.column)
    if cell is None:
        return False
    if rule.filled:
        return cell.lower() not in _NOTHING
    if rule.equals is not None:
        return cell.casefold() in map(str.casefold, rule.equals)
    if rule.contains is not None:
        return any(word.casefold() in cell.casefold() for word in rule.contains)
    if rule.starts_with is not None:
        return cell.startswith(rule.starts_with)
    assert rule.below is not None
    value = _number(cell, sign)
    return value is not None and value < rule.below


def groups(rows: Sequence[ExportRow], mapping: ExportMapping) -> list[tuple[bool, list[ExportRow]]]:
    """``(takes something back, rows)`` in the order of time; a row without an order stands alone."""
    by_key: dict[tuple[object, ...], list[ExportRow]] = defaultdict(list)
    back_rule = mapping.cancellation
    for row in rows:
        is_back = back_rule is not None and row.problem is None and fits(back_rule, row.cells, row.signs.get("quantity", "."))
        order: object = _id(row.fields.get("order_id")) or ("row", row.number)
        occasion: object = None
        if is_back:
            assert back_rule is not None
            named = row.cells.get(back_rule.refund_id) if back_rule.refund_id else None
            # A document of its own is one occasion, though its rows may be a minute apart.
            occasion = named if named is not None or back_rule.starts_with is not None else row.at
        by_key[is_back, order, occasion].append(row)
    ordered = sorted(
        by_key.items(),
        key=lambda item: (min((row.at for row in item[1] if row.at), default=_START), item[0][0], item[1][0].number),
    )
    return [(bool(key[0]), members) for key, members in ordered]


def _used(row: TableRow, columns: Sequence[str], field: str = "") -> str | None:
    """The first of several columns that the row fills: a shop may number only some of its items, and have guests."""
    for column in columns:
        cell = None if field in _OF_A_LINE and column in row.from_above else row.cells.get(column)
        if cell is not None and (word := cell.lower()) not in _NOTHING and not (field == "user_id" and word in _NOBODY):
            return column
    return None


def _first(row: TableRow, columns: Sequence[str], field: str) -> str | None:
    column = _used(row, columns, field)
    return None if column is None else row.cells[column]


def _columns(file: str, table: TableFile, mapping: ExportMapping) -> tuple[dict[str, str], dict[str, DecimalSign]]:
    there = set(table.columns)
    column_of = {}
    for name in mapping.columns:
        column = next((column for column in mapping.names_of(name) if column in there), None)
        if column is not None:
            column_of[name] = column
    signs: dict[str, DecimalSign] = {}
    money = [name for name in (*MONEY, "quantity") if name in column_of]
    if mapping.decimal is not None:
        return column_of, dict.fromkeys(money, mapping.decimal)
    # One program writes one sign; a column of whole numbers follows the others of its file.
    columns, currencies = [column_of[name] for name in money if name not in ("quantity", "stock")], _currencies(table, mapping)
    every = ((row.cells.get(column), code) for column in columns for row, code in zip(table.rows, currencies, strict=True))
    amounts = [(cell, _digits(cell, code, mapping)) for cell, code in every if not isinstance(cell, NumberCell)]
    sign = clear_decimal_sign_of((cell for cell, _ in amounts), (digits for _, digits in amounts))
    if sign is None:
        unclear = next(cell for cell, digits in amounts if cell is not None and clear_decimal_sign_of([cell], digits) is None)
        raise LandingError(
            f"{file}: nothing tells whether {unclear} has decimals or thousands; "
            "set decimal: '.' or ',' in the mapping, or --decimal"
        )
    for name in money:
        signs[name] = sign
    return column_of, signs


def _currencies(table: TableFile, mapping: ExportMapping) -> list[str]:
    """The currency of each row: that of its column, which may be filled in an order's first row alone, or the mapping's."""
    codes = [_first(row, mapping.names_of("currency"), "currency") for row in table.rows]
    orders = [_first(row, mapping.names_of("order_id"), "order_id") for row in table.rows]
    of_order = {order: code for order, code in zip(orders, codes, strict=True) if order is not None and code is not None}
    usual = str(mapping.defaults.get("currency") or mapping.currency)
    named = [code or of_order.get(order or "", usual) for order, code in zip(orders, codes, strict=True)]
    known = {text: currency_code(text) for text in set(named)}
    return [known[text] for text in named]


def _digits(cell: str | None, currency: str, mapping: ExportMapping) -> int:
    """Decimals that an amount usually has, in the currency that stands beside it or else that of its row."""
    named = currencies_named(cell)
    return mapping.digits_in(next(iter(named)) if named is not None and len(named) == 1 else currency)


def _left_out(
    row: TableRow, column_of: dict[str, str], mapping: ExportMapping, whole_order: dict[tuple[str, str], str]
) -> str | None:
    """Why a row is none that is wanted. A status that only the first row of an order or product has holds for all of it
    (``whole_order``).
    """
    if row.problem is not None:
        return None  # it goes into quarantine, where it can be read
    if _is_total(row, column_of):
        return "a row of totals"
    if all(row.cells.get(column) == column for column in column_of.values()):
        return "the header again"
    if not mapping.keep and not mapping.leave_out:
        return None
    order = row.cells.get(column_of.get("order_id", column_of.get("product_id", "")))
    cells = dict(row.cells)
    for rule in (*mapping.keep, *mapping.leave_out):
        if rule.filled or order is None:
            continue  # it is of this row alone
        if (cell := cells.get(rule.column)) is not None:
            whole_order[order, rule.column] = cell
        else:
            cells[rule.column] = whole_order.get((order, rule.column))
    for rule in mapping.keep:
        if not fits(rule, cells):
            return f"{rule.column} is {cells[rule.column] or 'empty'}"
    for rule in mapping.leave_out:
        if fits(rule, cells):
            return f"{rule.column} is {'filled' if rule.filled else cells[rule.column]}"
    return None


def _is_total(row: TableRow, column_of: dict[str, str]) -> bool:
    """A row that begins with a word for totals and has neither an item nor a time."""
    first = next((cell for cell in row.cells.values() if cell is not None), "")
    word = unicodedata.normalize("NFKC", first).strip(" :：").lower()
    has_line = any(row.cells.get(column_of.get(name, "")) for name in ("item_id", "occurred_at"))
    return word in _TOTAL_WORDS and not has_line


def _may_change(mapping: ExportMapping) -> tuple[str, ...]:
    """Fields that another export may have otherwise: what was given back, a quantity less that, and the time of an order where
    several columns may hold it (it was placed, and is paid on delivery).
    """
    quantity = ("quantity",) if mapping.after_refunds else ()
    has_several_times = len(mapping.names_of("occurred_at")) > 1 and "order_id" in mapping.columns
    # Of one order a row that takes back may be there twice, at two times.
    return (*_LATER, *quantity, *(("occurred_at",) if has_several_times and mapping.cancellation is None else ()))


def _key(row: ExportRow, column_of: dict[str, str], later: Sequence[str]) -> _Key:
    """What tells a row from another: its values, or the number of its line; not what became of it later."""
    if row.problem is not None:
        return ("problem", row.problem)
    if (line := _line_id(row, column_of)) is not None:
        return (_id(row.fields.get("order_id")), line)
    return tuple(_value(row, name) for name in column_of if name not in later)


def _line_id(row: ExportRow, column_of: dict[str, str]) -> str | None:
    return _id(row.fields.get("line_id")) if "line_id" in column_of and row.problem is None else None


def _value(row: ExportRow, name: str) -> object:
    """A field's value, whichever way its file writes it."""
    if name in _IDS:
        return _id(row.fields.get(name))
    if name == "occurred_at" and row.at is not None:
        return row.at.astimezone(UTC)
    return row.amount(name) if name in MONEY or name == "quantity" else row.fields.get(name)


def _id(text: str | None) -> str | None:
    """An id in the form in which the event has it; one that a spreadsheet has rounded as it stands."""
    return unicodedata.normalize("NFC", identifier(text) or text) if text else None


def _with_later(known: ExportRow, again: ExportRow) -> ExportRow:
    """A row with what another export of it says was given back, or is left of its quantity, where that tells of more refunds.

    Of a quantity that was sold and one after refunds the first is kept, with the refunds beside it.
    """
    if known.is_after_refunds != again.is_after_refunds:
        return again if known.is_after_refunds else known
    later: dict[str, str | None] = {}
    left, before = again.amount("quantity"), known.amount("quantity")
    if known.is_after_refunds and isinstance(left, Decimal) and isinstance(before, Decimal) and left < before:
        later["quantity"] = NumberCell(left)
    for name in REFUNDS:
        amount, already = again.amount(name), known.amount(name)
        if isinstance(amount, Decimal) and abs(amount) > (abs(already) if isinstance(already, Decimal) else 0):
            later |= {name: NumberCell(amount), "refunded_at": again.fields.get("refunded_at")}
    return replace(known, fields=known.fields | later) if later else known


def _text(value: object) -> str:
    return value if isinstance(value, str) else str(value)
