"""The definitions as plain data, for whoever does not read Python: ``jishi features export --json``."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from jishi.features.act import ACT_KINDS, COLUMNS
from jishi.features.definition import Feature
from jishi.features.entity import ENTITY_KEYS


def exported(features: Iterable[Feature]) -> list[dict[str, Any]]:
    """One object a feature: its declaration, and the view, keys and value type that follow from it."""
    return [
        asdict(feature)
        | {
            "view": None if feature.is_derived else feature.view,
            "keys": ["shop_id", *ENTITY_KEYS[feature.entity]],
            "value_type": feature.value_type,
        }
        for feature in features
    ]


def exported_acts() -> list[dict[str, Any]]:
    """One object a kind of act: the event type that holds it and the columns that it carries."""
    return [
        {
            "name": kind.name,
            "event_type": kind.event_type,
            "each": kind.each,
            "columns": {column: COLUMNS[column] for column in COLUMNS if kind.carries(column)},
        }
        for kind in ACT_KINDS.values()
    ]


def window_words(feature: Feature) -> str:
    """The window of a feature in words, such as ``1 h every 60 s``."""
    if feature.is_derived and feature.aggregation != "ratio":
        return "at the decision"
    if feature.is_running:
        return f"last {feature.n}" if feature.n else "running"
    ago = f", {duration_words(feature.offset_s)} ago" if feature.offset_s else ""
    return f"{duration_words(feature.size)}{ago} every {duration_words(feature.slide)}"


def duration_words(seconds: int) -> str:
    """A duration in its largest whole unit."""
    for unit, size in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds % size == 0:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"
