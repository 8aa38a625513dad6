"""A folder of events as a log: records in the order of knowing, each with its position and its outcome.

The folder is in landing form (``jishi.landing``): ``<shop_id>/events-*.jsonl`` with manifests, one such shop's folder, or plain
``*.jsonl`` files whose events name their shops. Of each shop the order of lines is the order of knowing; shops are merged by
``received_at``, and a line that claims to have been known before the one above it is put where its clock says, because a log's
clock never runs backwards. ``received_at`` is the event's own, else its ``occurred_at``, but no later than the clock of the
reader, else that of the line before.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from jishi.contract import known_since_ms, record_of
from jishi.contract.reading import kept_text, read_event
from jishi.landing import MANIFEST, LandingError, checked_files, landed_shops, load_manifest
from jishi.outcomes import Outcome, outcome_without_history
from jishi.tables import BRONZE_EVENTS

UNKNOWN_SHOP = "unknown"


def read_log(folder: Path, now_ms: int | None = None) -> list[dict[str, Any]]:
    """Records (columns of ``jishi.tables.BRONZE_EVENTS``) in the order of the log. ``now_ms`` is the clock (epoch ms) by which
    times too far ahead are refused, as in an import; without it none is. Raises LandingError for a folder without events.
    """
    rows = [row for shop_id, files in _sources(folder) for row in rows_of_lines(_lines(files), shop_id, now_ms)]
    rows.sort(key=lambda row: row["received_at_ms"])
    for offset, row in enumerate(rows):
        row["log_offset"] = offset
    return rows


def zones_of(folder: Path) -> dict[str, str]:
    """The time zones of the shops, as their manifests tell them; plain files tell none."""
    shops = landed_shops(folder)
    manifests = [load_manifest(folder / shop_id) for shop_id in shops]
    if not shops and (folder / MANIFEST).exists():
        manifests = [load_manifest(folder)]
    return {manifest.shop_id: manifest.shop.time_zone for manifest in manifests}


def _sources(folder: Path) -> Iterator[tuple[str | None, list[Path]]]:
    """Files of events by shop; None where each event says its shop."""
    shops = landed_shops(folder)
    if shops:
        for shop_id in shops:
            yield shop_id, checked_files(folder / shop_id)
        return
    if (folder / MANIFEST).exists():
        yield load_manifest(folder).shop_id, checked_files(folder)
        return
    files = sorted(folder.glob("*.jsonl"))
    if not files:
        raise LandingError(f"{folder} holds no events: neither <shop>/{MANIFEST} nor *.jsonl; name a folder in landing form")
    yield None, files


def _lines(files: Iterable[Path]) -> Iterator[bytes]:
    for file in files:
        content = file.read_bytes()
        yield from (line for line in content.split(b"\n")[: None if not content.endswith(b"\n") else -1])


def rows_of_lines(lines: Iterable[bytes], shop_id: str | None, now_ms: int | None = None) -> Iterator[dict[str, Any]]:
    """Records of raw lines in their order; ``log_offset`` is left for the log to say."""
    known_ms: int | None = None
    waiting: list[dict[str, Any]] = []
    for seq, line in enumerate(lines):
        raw, refusal = read_event(line)
        shop = shop_id or _named_shop(raw)
        record, checked = record_of(
            raw,
            shop_id=shop,
            collector_id=f"history:{shop}",
            seq=seq,
            collected_at_ms=0,
            line=kept_text(line),
            refusal=refusal,
            now_ms=now_ms,
            sent_by="import",
        )
        event_known_ms = known_since_ms(raw, record, checked)
        if event_known_ms is not None:
            known_ms = event_known_ms if now_ms is None else min(event_known_ms, now_ms)
        row = {name: value for name, value in record.items() if name in BRONZE_EVENTS.columns}
        row |= {"received_at_ms": known_ms, "log_partition": 0, "log_offset": None}
        if known_ms is None:
            waiting.append(row)
            continue
        for early in (*waiting, row):
            yield early | {"received_at_ms": known_ms, "collected_at_ms": known_ms}
        waiting.clear()
    yield from (row | {"received_at_ms": 0} for row in waiting)


def _named_shop(raw: Any) -> str:
    named = raw.get("shop_id") if isinstance(raw, dict) else None
    return named if isinstance(named, str) and named else UNKNOWN_SHOP


def outcomes_of(log: Iterable[dict[str, Any]], *, allowed_lateness_s: int, future_tolerance_s: int) -> Iterator[Outcome]:
    """The outcome of each record, in the order of the log."""
    delivered: set[tuple[str, str]] = set()
    for row in log:
        outcome = outcome_without_history(
            invalid_reason=row["invalid_reason"],
            occurred_at_ms=row["occurred_at_ms"],
            received_at_ms=row["received_at_ms"],
            allowed_lateness_s=allowed_lateness_s,
            future_tolerance_s=future_tolerance_s,
        )
        if outcome in (Outcome.GOOD, Outcome.LATE):
            delivery = (row["shop_id"], row["event_id"])
            outcome = Outcome.DUPLICATE if delivery in delivered else outcome
            delivered.add(delivery)
        yield outcome
