"""Superset's CSV and XLSX files keep text from being computed by our rule (superset environment).

Its own lets full-width signs through, and writes ``{=…}`` to XLSX as a formula that Excel computes, and some texts as links.
"""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING, Any

from dashboard.spreadsheet_cells import guarded

if TYPE_CHECKING:
    import pandas as pd

_NEGATIVE = re.compile(r"-[0-9.]+")  # Superset formats some numbers before it writes them


def guard_files() -> None:
    """Let Superset write its files by this rule."""
    from superset.utils import csv, excel

    csv.escape_value = guarded_text
    excel.df_to_excel = as_xlsx


def guarded_text(value: str) -> str:
    """A cell of a CSV file."""
    return value if _NEGATIVE.fullmatch(value) else str(guarded(value))


def as_xlsx(frame: pd.DataFrame, **options: Any) -> bytes:
    """A workbook in which text is text, headings and index too; ``options`` are those of ``DataFrame.to_excel``."""
    import pandas as pd

    held = io.BytesIO()
    as_text = {"options": {"strings_to_formulas": False, "strings_to_urls": False}}
    with pd.ExcelWriter(held, engine="xlsxwriter", engine_kwargs=as_text) as writer:
        frame.map(guarded).rename(index=guarded, columns=guarded).to_excel(writer, **options)
    return held.getvalue()
