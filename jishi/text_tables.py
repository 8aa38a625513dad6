"""Tables of commands: a cell that is wider than its column goes on in the next line, so no value is ever cut."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

PIPE_COLUMNS = 160
READABLE_COLUMNS = 14
_UNBOUNDED = 100_000


class TextTable(Table):
    """rich's table, whose columns fold what does not fit, and whose words are plain: a name may be ``[/b]``."""

    def add_column(self, header: Any = "", *args: Any, **options: Any) -> None:
        super().add_column(_plain(header), *args, **{"overflow": "fold"} | options)

    def add_row(self, *cells: Any, **options: Any) -> None:
        super().add_row(*map(_plain, cells), **options)


def _plain(cell: Any) -> Any:
    return Text(cell) if isinstance(cell, str) else cell


def text_console(**options: Any) -> Console:
    """Where a command prints: as wide as the terminal (or ``COLUMNS``), and ``PIPE_COLUMNS`` in a pipe or a file."""
    is_known = sys.stdout.isatty() or "COLUMNS" in os.environ
    return Console(width=None if is_known else PIPE_COLUMNS, **options)


def print_rows(console: Console, names: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table, or where its columns would be too narrow to read, each row as lines of name and value."""
    table = TextTable(*names)
    for row in rows:
        table.add_row(*row)
    width = Measurement.get(console, console.options.update(max_width=_UNBOUNDED), table).maximum
    if width <= console.width or console.width >= READABLE_COLUMNS * len(names):
        console.print(table, markup=False)
        return
    for number, row in enumerate(rows, 1):
        lines = TextTable(title=f"row {number}", title_justify="left", show_header=False)
        for name, value in zip(names, row, strict=True):
            lines.add_row(name, value)
        console.print(lines, markup=False)
    if not rows:
        console.print(f"no rows of {', '.join(names)}", markup=False, highlight=False)
