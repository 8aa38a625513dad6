"""Text that a spreadsheet would compute, kept from it: a cell may be a customer's own words, such as a campaign in a link."""

from __future__ import annotations

from typing import Any

# What begins a formula in Excel, LibreOffice, Google Sheets or WPS, full-width signs included (OWASP, CSV injection).
_FORMULA_SIGNS = frozenset("=+-@\t\r\n|%＝＋－＠")


def guarded(value: Any) -> Any:
    """A cell for a file: text that would be a formula gets an apostrophe before it; numbers stay numbers.

    Curly brackets around ``=`` are a formula to writers of XLSX.

    >>> guarded("=1+1"), guarded(-5), guarded(" @x"), guarded("裙"), guarded("{=1+1}")
    ("'=1+1", -5, "' @x", '裙', "'{=1+1}")
    """
    if not isinstance(value, str) or not value.strip(" "):
        return value
    begins = value.lstrip(" \u00a0\u3000\ufeff")
    return f"'{value}" if begins[:1] in _FORMULA_SIGNS or begins.startswith("{=") else value
