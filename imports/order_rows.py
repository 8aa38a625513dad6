"""Rows of export files, cleaned, filtered and grouped: a group is one order, or what was taken back on one occasion.

Groups come in the order of time, as instants: files may mix offsets. A row that is there twice because two files overlap counts
once; one that is there twice within a file was sold twice. What is left out is counted by reason, never in silence.
"""

from __future__ import annotations

import unicodedata
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

from imports.amounts import DecimalSign, decimal_sign_of, number
from imports.order_mapping import ExportMapping, RowRule
from imports.table_file import TableFile, TableRow, read_table
from jishi.landing import LandingError

MONEY = ("unit_price", "line_price", "discount", "order_discount", "shipping", "line_shipping", "refunded", "stock")
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
_START = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True)
class ExportRow:
    """One row: fields by the mapping's names, raw cells by column, where it stands, and when it happened (None: unreadable)."""

    fields: dict[str, str | None]
    cells: dict[str, str | None]
    file: str
    number: int
    at: datetime | None
    problem: str | None
    signs: dict[str, DecimalSign]

    def amount(self, name: str) -> Decimal | str | None:
        """The field as an exact number; its text when it is none; None when it is empty."""
        text = self.fields.get(name)
        value = number(text, self.signs.get(name, "."))
        return text if value is None else value


@dataclass
class Export:
    """All rows of an import. ``left_out`` counts rows by the reason for which they are no order line."""

    rows: list[ExportRow] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)
    read_as: dict[str, str] = field(default_factory=dict)


def read_export(files: Sequence[Path], mapping: ExportMapping) -> Export:
    """Every row of the files that the mapping keeps. Raises LandingError, also when no file has a row at all."""
    export = Export()
    in_earlier_files: Counter[tuple[tuple[str, str | None], ...]] = Counter()
    number_of_row = 0
    whole_order: dict[tuple[str, str], str] = {}
    instants: dict[str | None, datetime | None] = {}
    for file in files:
        table = read_table(file, mapping.wanted, mapping.reading)
        export.read_as[file.name] = table.read_as
        column_of, signs = _columns(table, mapping)
        names_of = {name: [column for column in mapping.names_of(name) if column in table.columns] for name in column_of}
        in_this_file: Counter[tuple[tuple[str, str | None], ...]] = Counter()
        for row in table.rows:
            number_of_row += 1
            if (reason := _left_out(row, column_of, mapping, whole_order)) is not None:
                export.left_out[reason] += 1
                continue
            key = _key(row, column_of)
            in_this_file[key] += 1
            if row.problem is None and in_this_file[key] <= in_earlier_files[key]:
                export.left_out["the same row of an earlier file"] += 1
                continue
            if "line_id" in column_of and in_this_file[key] > 1:
                export.left_out["the same line again"] += 1
                continue
            fields = {name: _first(row, names) for name, names in names_of.items()}
            fields |= {name: _text(value) for name, value in mapping.defaults.items() if fields.get(name) is None}
            when = fields.get("occurred_at")
            if when not in instants:
                instants[when] = mapping.instant(when)
            at = instants[when]
            export.rows.append(ExportRow(fields, row.cells, file.name, number_of_row, at, row.problem, signs))
        in_earlier_files |= in_this_file
    if number_of_row == 0:
        names = ", ".join(file.name for file in files)
        raise LandingError(f"{names}: there is a header and no row; nothing was imported, and what was there before is kept")
    return export


def fits(rule: RowRule, cells: dict[str, str | None], sign: DecimalSign = ".") -> bool:
    """Whether a row is one of the rule's; an empty cell fits no rule. ``sign`` is the decimal sign of numbers."""
    cell = cells.get(rule.column)
    if cell is None:
        return False
    if rule.equals is not None:
        return cell in rule.equals
    if rule.contains is not None:
        return any(word in cell for word in rule.contains)
    if rule.starts_with is not None:
        return cell.startswith(rule.starts_with)
    assert rule.below is not None
    value = number(cell, sign)
    return value is not None and value < rule.below


def groups(rows: Sequence[ExportRow], mapping: ExportMapping) -> list[tuple[bool, list[ExportRow]]]:
    """``(takes something back, rows)`` in the order of time; a row without an order stands alone."""
    by_key: dict[tuple[object, ...], list[ExportRow]] = defaultdict(list)
    back_rule = mapping.cancellation
    for row in rows:
        is_back = back_rule is not None and row.problem is None and fits(back_rule, row.cells, row.signs.get("quantity", "."))
        order: object = row.fields.get("order_id") or ("row", row.number)
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


def _first(row: TableRow, columns: Sequence[str]) -> str | None:
    """The first of several columns that the row fills: a shop may number only some of its items."""
    for column in columns:
        if (cell := row.cells.get(column)) is not None:
            return cell
    return None


def _columns(table: TableFile, mapping: ExportMapping) -> tuple[dict[str, str], dict[str, DecimalSign]]:
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
    sign = decimal_sign_of(
        row.cells.get(column_of[name]) for name in money if name not in ("quantity", "stock") for row in table.rows
    )
    for name in money:
        signs[name] = sign
    return column_of, signs


def _left_out(
    row: TableRow, column_of: dict[str, str], mapping: ExportMapping, whole_order: dict[tuple[str, str], str]
) -> str | None:
    """Why a row is no line of a wanted order. A status that only the order's first row has (``whole_order``) holds for all."""
    if row.problem is not None:
        return None  # it goes into quarantine, where it can be read
    if _is_total(row, column_of):
        return "a row of totals"
    if not mapping.keep and not mapping.leave_out:
        return None
    order = row.cells.get(column_of.get("order_id", "")) or ""
    cells = dict(row.cells)
    for rule in (*mapping.keep, *mapping.leave_out):
        if (cell := cells.get(rule.column)) is not None:
            whole_order[order, rule.column] = cell
        else:
            cells[rule.column] = whole_order.get((order, rule.column))
    for rule in mapping.keep:
        if not fits(rule, cells):
            return f"{rule.column} is {cells[rule.column] or 'empty'}"
    for rule in mapping.leave_out:
        if fits(rule, cells):
            return f"{rule.column} is {cells[rule.column]}"
    return None


def _is_total(row: TableRow, column_of: dict[str, str]) -> bool:
    """A row that begins with a word for totals and has neither an item nor a time."""
    first = next((cell for cell in row.cells.values() if cell is not None), "")
    word = unicodedata.normalize("NFKC", first).strip(" :：").lower()
    has_line = any(row.cells.get(column_of.get(name, "")) for name in ("item_id", "occurred_at"))
    return word in _TOTAL_WORDS and not has_line


def _key(row: TableRow, column_of: dict[str, str]) -> tuple[tuple[str, str | None], ...]:
    if row.problem is not None:
        return (("problem", row.problem),)
    if "line_id" in column_of and (line := row.cells.get(column_of["line_id"])) is not None:
        return (("order", row.cells.get(column_of.get("order_id", ""))), ("line", line))
    return tuple((column, row.cells.get(column)) for column in column_of.values())


def _text(value: object) -> str:
    return value if isinstance(value, str) else str(value)
