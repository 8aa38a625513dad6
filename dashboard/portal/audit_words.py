"""The details of an audit line in a reader's words: what was looked at, and what was chosen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dashboard.portal.columns import COLUMNS
from dashboard.portal.datasets import DATASETS
from dashboard.portal.sections import SECTIONS, SETUP_SECTIONS
from dashboard.portal.values import name_of_value
from dashboard.portal.words import CHINESE, Language, translated

_PAGES = {section.name: section.title for section in (*SECTIONS, *SETUP_SECTIONS)} | {"item": "Item"}
_ROWS = {name: dataset.title for name, dataset in DATASETS.items()} | {"segment": "Segment"}
# Names of details that are neither a column's nor a word of the pages.
_NAMES = {
    **{"page": "Page", "rows": "Rows", "date": "Date", "from": "From", "to": "To", "first": "From", "last": "To"},
    **{"compare": "Compared with", "format": "Format", "count": "Number of rows", "by": "Sort by", "name": "Name of the item"},
    **{"days": "Period", "item": "Item", "scheme": "Scheme", "month": "Month"},
}


def words_of_detail(detail: Mapping[str, Any], language: Language) -> list[tuple[str, str]]:
    """Name and value of each detail, without those that are empty; what has no words stays as it was noted."""
    return [(_name(name, language), _value(name, value, language)) for name, value in detail.items() if value is not None]


def _name(name: str, language: Language) -> str:
    text = _NAMES.get(name)
    if text is not None:
        return translated(text, language)
    column = COLUMNS.get(name)
    return name if column is None else column.zh if language == "zh" else column.en


def _value(name: str, value: Any, language: Language) -> str:
    texts = {"page": _PAGES, "rows": _ROWS}.get(name, {})
    text = texts.get(str(value), str(value).lstrip("/") if name == "page" else str(value))
    text = _PAGES.get(text, text) if name == "page" else text
    if name in ("page", "rows"):
        return translated(text, language) if text in CHINESE else text
    if name == "by" and text in COLUMNS:
        return _name(text, language)
    return name_of_value(name, text, language)
