"""How the values of columns with few of them are called for people; what a shop wrote itself is shown as it is."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dashboard.portal.words import Language

with Path(__file__).with_name("values.csv").open(encoding="utf-8", newline="") as _file:
    CHINESE_VALUES = {(row["column"], row["value"]): row["zh"] for row in csv.DictReader(_file)}
_LISTED = {column for column, _ in CHINESE_VALUES}
_ALIKE = {"customer__segment": "segment"} | {
    f"{column}_{when}": column for column in ("segment", "classic_segment", "layer") for when in ("before", "after")
}
# The segments between which a customer moves are those of the row's scheme.
_OF_SCHEMES = {"rfm": "segment", "classic": "classic_segment", "layer": "layer"}
_MOVES = ("from_segment", "to_segment")


def named(name: str) -> str:
    """A name of a mart for people: cannot_lose is "cannot lose"."""
    return name.replace("_", " ")


def name_of_value(column: str, value: str, language: Language, row: Mapping[str, Any] | None = None) -> str:
    """What a value of a column is called; ``row`` says of which scheme a segment is, without it any that has the name."""
    if column in _MOVES:
        scheme = _OF_SCHEMES.get((row or {}).get("scheme", ""))
        columns = [scheme] if scheme else list(_OF_SCHEMES.values())
    else:
        columns = [_ALIKE.get(column, column)]
    if not _LISTED & set(columns):
        return value
    known = [CHINESE_VALUES[each, value] for each in columns if (each, value) in CHINESE_VALUES]
    return value if not known else known[0] if language == "zh" else named(value)
