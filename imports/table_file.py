"""One export file → its table: text, Excel or Parquet, with the header found behind a preamble and cells as clean text.

A row that has more cells than the header is kept with ``problem`` and without cells: which of them is too many cannot be known,
and a shifted price would look right.
"""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from imports.text_encoding import decoded
from jishi.landing import LandingError

_DELIMITERS = (",", ";", "\t", "|")
_HEADER_WITHIN = 60  # a preamble is at most so many lines
_LINES_IN_A_CELL = 200
_ROUNDED_BY_A_SPREADSHEET = re.compile(r"^\d+(?:[.,]\d+)?[eE]\+\d+$")
_WHOLE_AS_FLOAT = re.compile(r"^(\d+)\.0+$")
_WRAPPED = re.compile(r'^="(.*)"$', re.DOTALL)
# Exports put an apostrophe before what a spreadsheet could run (-70, =A1, +86…, @name), people before numbers that are texts.
_MARKED_AS_TEXT = re.compile(r"^'(?=[=+\-@]|[\w.\-]*\d[\w.\-]*$)")
_END = "\x1eend"  # a row behind the last one: a quote that is not closed would swallow it
_DOS_END = "\0\x1a"  # what old programs write behind the last line
_BLANKS = "\ufeff\u200b\u200e\u200f"
EXCEL = (".xlsx", ".xlsm", ".xlsb", ".xls", ".ods")
PARQUET = (".parquet", ".pq")

Cells = Sequence[str | None]


class NumberCell(str):
    """A cell that its file holds as a number: its text has a decimal point, whatever sign the texts of its column have."""

    __slots__ = ()


@dataclass(frozen=True)
class TableRow:
    """Cells by column name; ``problem`` says why the row has none that can be trusted.

    ``from_above``: columns whose cell is merged with that of an earlier row, which is its cell too.
    """

    cells: dict[str, str | None]
    problem: str | None = None
    from_above: frozenset[str] = frozenset()


@dataclass(frozen=True)
class TableFile:
    """Columns of a file, its rows in order, and how it was read (encoding, delimiter, sheet, lines before the header)."""

    columns: list[str]
    rows: list[TableRow]
    read_as: str


@dataclass(frozen=True)
class ReadingRules:
    """What a mapping says of its files; None is found out, an encoding with the help of ``currency``."""

    encoding: str | None = None
    delimiter: str | None = None
    sheet: str | None = None
    skip_rows: int | None = None
    currency: str = ""


def read_table(file: Path, wanted: Sequence[Sequence[str]], rules: ReadingRules) -> TableFile:
    """The table of a file. ``wanted`` holds, for each needed column, the names that it may have.

    Raises LandingError that names the file, the missing column and what is there.
    """
    if not file.is_file():
        raise LandingError(f"{file} does not exist or is not a file; name CSV, Excel or Parquet files")
    kind = _kind(file)
    merged: frozenset[tuple[int, int]] = frozenset()
    if kind == "parquet":
        lines, read_as = _parquet_lines(file), "Parquet"
        return _table(file, lines, wanted, read_as, 0)
    if kind == "excel":
        lines, read_as, merged = _excel_lines(file, rules.sheet)
    else:
        lines, read_as, delimiter = _text_lines(file, wanted, rules)
        return _table(file, lines, wanted, read_as, rules.skip_rows, delimiter=delimiter)
    return _table(file, lines, wanted, read_as, rules.skip_rows, merged)


def _kind(file: Path) -> str:
    """``text``, ``excel`` or ``parquet``, by how the file begins: names are often wrong. Raises LandingError with the fix."""
    with file.open("rb") as stream:
        start = stream.read(512)
    if start.startswith(b"PAR1"):
        return "parquet"
    if start.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
        return "excel"
    if start.startswith(b"\x1f\x8b"):
        raise LandingError(f"{file} is compressed; unpack it with gunzip and name what it holds")
    if start.lstrip(b"\xef\xbb\xbf \t\r\n").lower().startswith((b"<html", b"<!doctype", b"<table", b"<?xml")):
        raise LandingError(
            f"{file} is a page of HTML or XML, whatever its name says; open it in a spreadsheet and save it as xlsx"
        )
    suffix = file.suffix.lower()
    return "parquet" if suffix in PARQUET else "excel" if suffix in EXCEL and b"\0" in start else "text"


def clean(text: str | None) -> str | None:
    """A cell without what only its program needed: ``="…"``, a text's ``'``, tabs and blanks around it; empty is None."""
    if not text:
        return None
    if "!" <= text[0] <= "~" and "!" <= text[-1] <= "~" and text[0] not in "='":
        return text
    text = _MARKED_AS_TEXT.sub("", text.strip(_BLANKS).strip())
    if match := _WRAPPED.match(text):
        text = match.group(1).strip()
    text = text.strip(_BLANKS).strip()
    return text or None


def identifier(text: str | None) -> str | None:
    """An id as its system has it: ``17850.0`` is 17850. None for one that a spreadsheet has rounded (``2.16E+18``)."""
    if text is None or _ROUNDED_BY_A_SPREADSHEET.match(text):
        return None
    match = _WHOLE_AS_FLOAT.match(text)
    return match.group(1) if match else text


def _table(
    file: Path,
    lines: list[list[str | None]],
    wanted: Sequence[Sequence[str]],
    read_as: str,
    skip: int | None,
    merged: frozenset[tuple[int, int]] = frozenset(),
    delimiter: str | None = None,
) -> TableFile:
    if not any(clean(cell) for cells in lines for cell in cells):
        lines = []
    at = _header_row(lines, wanted) if skip is None else skip
    if at is None or at >= len(lines):
        raise LandingError(_missing(file, lines, wanted, skip))
    columns = _unique_names([clean(cell) or "" for cell in lines[at]])
    if not _has_all(columns, wanted):
        raise LandingError(_missing(file, lines, wanted, at))
    rows = []
    for number, cells in enumerate(lines[at + 1 :], at + 1):
        from_above = {place for place in range(len(cells)) if (number, place) in merged} if merged else set()
        if any(clean(cell) for place, cell in enumerate(cells) if place not in from_above):
            rows.append(_row(columns, cells, from_above, delimiter))
    return TableFile(columns, rows, read_as + (f", header in row {at + 1}" if at else ""))


def _row(columns: list[str], cells: list[str | None], from_above: set[int], delimiter: str | None) -> TableRow:
    if delimiter is not None and any(
        _holds_rows(cell, place, len(columns), delimiter) for place, cell in enumerate(cells) if cell and "\n" in cell
    ):
        text = ",".join(cell or "" for cell in cells)
        return TableRow({}, f"a quote is not closed, so that a cell holds further rows: {text[:500]}")
    cleaned = [clean(cell) for cell in cells]
    while len(cleaned) > len(columns) and cleaned[-1] is None:
        cleaned.pop()
    if len(cleaned) > len(columns):
        text = ",".join(cell or "" for cell in cleaned)
        return TableRow({}, f"{len(cleaned)} cells under {len(columns)} columns, so no cell can be trusted: {text[:500]}")
    cleaned += [None] * (len(columns) - len(cleaned))
    named = frozenset(columns[place] for place in from_above if place < len(columns))
    return TableRow(dict(zip(columns, cleaned, strict=True)), from_above=named)


def _holds_rows(cell: str, place: int, columns: int, delimiter: str) -> bool:
    """Whether a cell of several lines has swallowed rows: its first line has all cells that its own row lacks, its last one all
    that a row has before this place.
    """
    lines = cell.strip().splitlines()
    first, last = lines[0].count(delimiter), lines[-1].count(delimiter)
    return len(lines) > 1 and columns > 2 and first >= columns - 1 - place and last >= place


def _unique_names(names: list[str]) -> list[str]:
    """Names with ``#2``, ``#3`` … behind repeated ones, so that a mapping can name each; a blank one is its number."""
    seen: dict[str, int] = {}
    unique = []
    for number, name in enumerate(names, 1):
        if not name:
            unique.append(f"#{number}")
            continue
        name = unicodedata.normalize("NFC", name)
        seen[name] = seen.get(name, 0) + 1
        unique.append(name if seen[name] == 1 else f"{name}#{seen[name]}")
    return unique


def _has_all(columns: Iterable[str], wanted: Sequence[Sequence[str]]) -> bool:
    there = set(columns)
    return all(there.intersection(names) for names in wanted)


def _header_row(lines: list[list[str | None]], wanted: Sequence[Sequence[str]]) -> int | None:
    for number, cells in enumerate(lines[:_HEADER_WITHIN]):
        if _has_all(_unique_names([clean(cell) or "" for cell in cells]), wanted):
            return number
    return None


def _missing(file: Path, lines: list[list[str | None]], wanted: Sequence[Sequence[str]], at: int | None) -> str:
    rows = [_unique_names([clean(cell) or "" for cell in cells]) for cells in lines[:_HEADER_WITHIN]]
    if not rows:
        return f"{file} is empty; nothing was imported, and what was there before is kept"
    chosen = (
        rows[at] if at is not None and at < len(rows) else max(rows, key=lambda r: sum(bool(set(r) & set(n)) for n in wanted))
    )
    absent = next((names for names in wanted if not set(chosen) & set(names)), wanted[0])
    there = ", ".join(name for name in chosen if not name.startswith("#"))
    return (
        f"{file} has no column {' or '.join(map(repr, absent))}; it has {there}. "
        "When the header stands further down, set skip_rows; when names look garbled, set encoding"
    )


def _text_lines(file: Path, wanted: Sequence[Sequence[str]], rules: ReadingRules) -> tuple[list[list[str | None]], str, str]:
    content = file.read_bytes()

    def delimiter_of(text: str) -> str | None:
        start = "\n".join(text[: 1 << 18].splitlines()[:_HEADER_WITHIN])
        for delimiter in (rules.delimiter,) if rules.delimiter else _DELIMITERS:
            if _header_row(_parsed(start, delimiter), wanted) is not None:
                return delimiter
        return None

    text, encoding = decoded(content, str(file), lambda text: delimiter_of(text) is not None, rules.encoding, rules.currency)
    delimiter = rules.delimiter or delimiter_of(text) or max(_DELIMITERS, key=text[: 1 << 16].count)
    shown = {"\t": "tab", ",": "comma", ";": "semicolon"}.get(delimiter, delimiter)
    lines = _parsed(f"{text.rstrip(_DOS_END)}\n{_END}", delimiter)
    if (last := lines.pop()) != [_END]:
        cell = (last[-1] or "").partition("\n")[0]
        raise LandingError(
            f"{file}: a quote is not closed, so that all rows behind it are one cell; it begins with {cell[:80]!r}"
        )
    return lines, f"{encoding}, {shown}", delimiter


def _parsed(text: str, delimiter: str) -> list[list[str | None]]:
    # newline="" lets the parser see line ends within quotes; a lone CR ends a row as well.
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    csv.field_size_limit(1 << 24)
    rows: list[list[str | None]] = []
    try:
        for cells in reader:
            if any(cell.count("\n") > _LINES_IN_A_CELL for cell in cells):
                raise LandingError(
                    f"a quoted cell that ends in line {reader.line_num} is {_LINES_IN_A_CELL} lines long: a quote is not closed"
                )
            rows.append(list(cells))
    except csv.Error as error:
        raise LandingError(f"line {reader.line_num} is no CSV: {error}") from None
    return rows


def _excel_lines(file: Path, sheet: str | None) -> tuple[list[list[str | None]], str, frozenset[tuple[int, int]]]:
    from python_calamine import CalamineError, CalamineWorkbook

    try:
        book = CalamineWorkbook.from_path(str(file))
        names = book.sheet_names
        name = sheet if sheet is not None else names[0]
        if name not in names:
            raise LandingError(f"{file} has no sheet {name!r}; it has {', '.join(names)}")
        table = book.get_sheet_by_name(name)
        rows, ranges = table.to_python(skip_empty_area=False), table.merged_cell_ranges or []
    except CalamineError as error:
        raise LandingError(f"{file} cannot be read as a workbook: {error}; save it as xlsx or CSV") from None
    lines = [[_excel_text(cell) for cell in row] for row in rows]
    merged = set()
    for (first, place), (last, _) in ranges:
        for number in range(first + 1, min(last + 1, len(lines))):
            if place < len(lines[first]) and place < len(lines[number]) and lines[number][place] is None:
                lines[number][place] = lines[first][place]
                merged.add((number, place))
    return lines, f"sheet {name!r}", frozenset(merged)


def _excel_text(cell: Any) -> str | None:
    if cell is None or cell == "":
        return None
    if isinstance(cell, bool):
        return str(cell).lower()
    if isinstance(cell, float):
        return NumberCell(int(cell) if cell.is_integer() and abs(cell) < 1e15 else f"{cell:.15g}")  # all that spreadsheets keep
    if isinstance(cell, int | Decimal):
        return NumberCell(cell)
    if isinstance(cell, datetime | date | time):
        return cell.isoformat()
    if isinstance(cell, timedelta):
        return str(cell.total_seconds())
    return str(cell)


def _parquet_lines(file: Path) -> list[list[str | None]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(file)
    except (pa.ArrowInvalid, OSError) as error:
        raise LandingError(f"{file} cannot be read as Parquet: {error}") from None
    columns = [_parquet_texts(column.to_pylist()) for column in table.columns]
    return [list(table.column_names), *map(list, zip(*columns, strict=True))]


def _parquet_texts(values: list[Any]) -> Iterator[str | None]:
    for value in values:
        if value is None or isinstance(value, str):
            yield value
        elif isinstance(value, float) and value != value:
            yield None
        else:
            yield _excel_text(value)
