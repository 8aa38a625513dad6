"""What a number is: its metric as it was published with the marts, and the descriptions of dbt's manifest of the last build."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from dashboard.portal.columns import Column
from dashboard.portal.words import Language
from jishi.metrics import Metric, metrics_of


@dataclass(frozen=True)
class Meaning:
    """A column's description and the sentence on its mart, empty where nobody wrote one; its metric where it is one."""

    column: str
    mart: str
    metric: Metric | None = None


# The marts whose numbers are those of metrics, by shop and day, period or segment.
_OF_METRICS = (
    "fct_shop_days",
    "board_funnel",
    "board_segments",
    "fct_item_days",
    "fct_item_periods",
    "fct_recommendation_days",
)


def meaning_of(manifest: Path, mart: str, column: Column, semantic_manifest: str | None, language: Language) -> Meaning:
    """What dbt says of a column, in one language; without a manifest, nothing."""
    metric = None
    if mart in _OF_METRICS and column.metric and semantic_manifest:
        metric = metrics_of(json.loads(semantic_manifest)).get(column.metric)
    try:
        stat = manifest.stat()
        models = _models(manifest, stat.st_mtime_ns, stat.st_size)
    except (OSError, json.JSONDecodeError):  # no build yet, or one that writes it this moment
        return Meaning("", "", metric)
    model = models.get(mart, {})
    described = model.get("columns", {}).get(column.name, {}).get("description", "")
    return Meaning(in_language(described, language), in_language(model.get("description", ""), language), metric)


def in_language(description: str, language: Language) -> str:
    """The part of a description in a language, of which English comes first; all of it where it has but one.

    >>> in_language("RFM segment by name. RFM 细分人群", "zh"), in_language("Price band. 价格带", "en")
    ('RFM 细分人群', 'Price band.')
    """
    text = " ".join(description.split())
    chinese = re.search("[一-鿿]", text)
    if chinese is None:
        return text
    begins = text.rfind(". ", 0, chinese.start())
    place = chinese.start() if begins < 0 else begins + 2
    return (text[place:] if language == "zh" else text[:place].strip()) or text


@lru_cache(maxsize=1)
def _models(manifest: Path, changed_at: int, size: int) -> dict[str, Any]:
    """Models and saved queries by name, read again when the file changes."""
    document = json.loads(manifest.read_text(encoding="utf-8"))
    nodes = [node for node in document["nodes"].values() if node["resource_type"] == "model"]
    return {node["name"]: node for node in [*nodes, *document.get("saved_queries", {}).values()]}
