"""The data dictionary: every mart with its columns, every metric with its formula, where each comes from and who reads it.

It is one static page a build, ``dictionary/index.html`` of the site, made from what dbt read (its manifest) and published;
dbt's own documentation is for engineers. A description in dbt is English followed by Chinese.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jishi.files import write_atomically
from jishi.lake.reading import LakeVersion
from jishi.marts import mart_rows
from jishi.metrics import Bilingual, metrics_of
from jishi.metrics.definitions import UNITS
from jishi.paths import Paths
from ops.site.templates import render

_CHINESE = re.compile("[\u4e00-\u9fff]")
_SENTENCE_END = re.compile(r"[.!?] ")
_NOBODY = Bilingual("–", "–")
_NO_READERS = ("test.", "unit_test.", "semantic_model.")


@dataclass(frozen=True)
class MartEntry:
    """A published mart: its grain, owner, columns (name, type, meaning), direct sources and direct readers."""

    name: str
    grain: Bilingual
    owner: Bilingual
    columns: tuple[tuple[str, str, Bilingual], ...]
    sources: tuple[str, ...]
    readers: tuple[str, ...]


def write_dictionary(paths: Paths, lake: LakeVersion) -> Path:
    """Write the page of a version that has marts, from the manifest of the build that made them."""
    manifest = json.loads((paths.warehouse / "target" / "manifest.json").read_text(encoding="utf-8"))
    [build] = mart_rows(lake, "from build")
    tables = {row["table_name"] for row in mart_rows(lake, "select table_name from duckdb_tables()")}
    days = mart_rows(
        lake, "select shop_id, max(shop_date) as day, max(as_of_at) as known_at from fct_shop_days group by all order by 1"
    )
    metrics = metrics_of(json.loads(build["semantic_manifest"])) if build.get("semantic_manifest") else {}
    entries = [entry for entry in mart_entries(manifest) if entry.name in tables]
    assert lake.record is not None
    built_from = lake.record.marts.built_from if lake.record.marts else 0
    text = render(
        "dictionary.html",
        version=lake.number,
        built_from=built_from,
        published=f"{lake.record.created_at:%Y-%m-%d %H:%M} UTC",
        shops=[(row["shop_id"], row["day"], f"{row['known_at']:%Y-%m-%d %H:%M}") for row in days],
        metrics=list(metrics.values()),
        units=UNITS,
        marts=entries,
        targets={*metrics, *(entry.name for entry in entries)},
    )
    page = paths.site / "dictionary" / "index.html"
    write_atomically(page, text)
    return page


def mart_entries(manifest: Mapping[str, Any]) -> Iterator[MartEntry]:
    """The marts of dbt's manifest by name, whether published or not."""
    models = {key: node for key, node in manifest["nodes"].items() if node["resource_type"] == "model"}
    for key, node in sorted(models.items(), key=lambda item: str(item[1]["name"])):
        if node["fqn"][1] != "marts":
            continue
        children = manifest["child_map"]
        # dbt hangs metrics on the semantic model of a mart.
        readers = [*children[key], *children.get(f"semantic_model.jishi.{node['name']}", [])]
        yield MartEntry(
            node["name"],
            in_both(node["description"]),
            _owner(node["name"], readers, manifest),
            tuple((name, str(column["data_type"]), in_both(column["description"])) for name, column in node["columns"].items()),
            tuple(sorted(map(_shown, manifest["parent_map"][key]))),
            tuple(sorted({_shown(reader) for reader in readers if not reader.startswith(_NO_READERS)})),
        )


def in_both(description: str) -> Bilingual:
    """A description by language: the Chinese begins with the sentence that has the first Chinese sign.

    >>> in_both("Pieces; null: unknown. 件数，未知为空")
    Bilingual(en='Pieces; null: unknown.', zh='件数，未知为空')
    """
    text = " ".join(description.split())
    chinese = _CHINESE.search(text)
    if chinese is None:
        return Bilingual(text, "")
    ends = [end.end() for end in _SENTENCE_END.finditer(text, 0, chinese.start())]
    at = ends[-1] if ends else chinese.start()
    return Bilingual(text[:at].strip(), text[at:].strip())


def _owner(name: str, readers: list[str], manifest: Mapping[str, Any]) -> Bilingual:
    """Who answers for a mart: as its metrics say, else as who reads it says."""
    meta = ((manifest["semantic_models"].get(f"semantic_model.jishi.{name}") or {}).get("config") or {}).get("meta") or {}
    if "owner" in meta:
        return Bilingual(meta["owner"], meta["owner_zh"])
    owners = dict.fromkeys(
        manifest["exposures"][reader]["owner"]["name"] for reader in readers if reader in manifest["exposures"]
    )
    return Bilingual(", ".join(owners), ", ".join(owners)) if owners else _NOBODY


def _shown(key: str) -> str:
    """A node of the lineage as people call it: a mart or model by its name, a lake table as ``silver.orders``."""
    kind, _, *rest = key.split(".")
    if kind == "exposure":
        return f"{rest[-1]} (page or job)"
    return {"source": ".".join(rest), "metric": f"{rest[-1]} (metric)", "saved_query": f"{rest[-1]} (saved query)"}.get(
        kind, rest[0]
    )
