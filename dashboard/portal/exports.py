"""Rows as CSV and XLSX. A cell of text that a spreadsheet would compute is kept from it: it may be a customer's own words."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from dashboard.portal.columns import Column
from dashboard.portal.formats import Formats
from dashboard.spreadsheet_cells import guarded

MEDIA_TYPES = {
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}


@dataclass(frozen=True)
class Sheet:
    """Rows with their columns; headings carry the unit."""

    title: str
    columns: Sequence[Column]
    rows: Sequence[Mapping[str, Any]]
    formats: Formats

    @property
    def headings(self) -> list[str]:
        """A label for each column, with its unit."""
        labels = ((self.formats.label(column), self.formats.unit(column)) for column in self.columns)
        return [f"{label} ({unit})" if unit and unit != "%" else label for label, unit in labels]

    def values(self, row: Mapping[str, Any]) -> list[Any]:
        """A row's values for a file."""
        return [self.formats.file_cell(column, row) for column in self.columns]

    def as_csv(self) -> bytes:
        """UTF-8 with the mark by which Excel knows it."""
        text = io.StringIO()
        writer = csv.writer(text)
        writer.writerow(guarded(heading) for heading in self.headings)
        for row in self.rows:
            writer.writerow(guarded(value) for value in self.values(row))
        return text.getvalue().encode("utf-8-sig")

    def as_xlsx(self) -> bytes:
        """A workbook of one sheet, in which text is text and numbers are numbers, but for those that it would round."""
        import xlsxwriter

        held = io.BytesIO()
        options = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
        with xlsxwriter.Workbook(held, options) as book:
            sheet = book.add_worksheet(_sheet_name(self.title))
            bold = book.add_format({"bold": True})
            formats = {
                "share": book.add_format({"num_format": "0.00%"}),
                "date": book.add_format({"num_format": "yyyy-mm-dd"}),
                "instant": book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"}),
            }
            for place, heading in enumerate(self.headings):
                sheet.write_string(0, place, heading, bold)
            for number, row in enumerate(self.rows, 1):
                for place, (column, value) in enumerate(zip(self.columns, self.values(row), strict=True)):
                    _write(sheet, number, place, value, formats.get(column.unit))
            sheet.freeze_panes(1, 0)
            sheet.set_column(0, max(len(self.columns) - 1, 0), 16)
        return held.getvalue()


def _write(sheet: Any, number: int, place: int, value: Any, cell_format: Any) -> None:
    match value:
        case None:
            return
        case bool():
            sheet.write_boolean(number, place, value)
        case int() | Decimal() if not _is_kept(value):
            sheet.write_string(number, place, str(value))
        case int() | float() | Decimal():
            sheet.write_number(number, place, value, cell_format)
        case datetime() | date():
            sheet.write_datetime(number, place, value, cell_format)
        case _:
            sheet.write_string(number, place, str(value))


def _is_kept(value: int | Decimal) -> bool:
    """Whether a spreadsheet keeps all digits of a number: it holds 15."""
    return Decimal(f"{Decimal(value):.15g}") == value


def _sheet_name(title: str) -> str:
    """A name that Excel takes: 31 characters without some signs."""
    return "".join(sign for sign in title if sign not in "[]:*?/\\'")[:31] or "1"
