"""Tables of commands: a cell that is wider than its column goes on in the next line, so no value is ever cut."""

from __future__ import annotations

import os
import sys
from typing import Any

from rich.console import Console
from rich.table import Table

PIPE_COLUMNS = 160


class TextTable(Table):
    """rich's table, whose columns fold what does not fit instead of putting … in its place."""

    def add_column(self, header: Any = "", *args: Any, **options: Any) -> None:
        super().add_column(header, *args, **{"overflow": "fold"} | options)


def text_console(**options: Any) -> Console:
    """Where a command prints: as wide as the terminal (or ``COLUMNS``), and ``PIPE_COLUMNS`` in a pipe or a file."""
    is_known = sys.stdout.isatty() or "COLUMNS" in os.environ
    return Console(width=None if is_known else PIPE_COLUMNS, **options)
