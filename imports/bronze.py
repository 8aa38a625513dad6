"""One landing file → bronze rows: the contract's verdict on every line, and the time at which the line became known."""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from jishi.arrow_tables import arrow_schema, to_arrow, write_parquet
from jishi.contract import Refusal, known_since_ms, record_of
from jishi.contract.home_money import ShopMoney
from jishi.contract.reading import kept_text, read_event
from jishi.landing import LandedFile, LandingError
from jishi.tables import BRONZE_EVENTS, BRONZE_HISTORY, TableSchema

_PIECE = 1000


@dataclass(frozen=True)
class FileTask:
    """One landing file to turn into one Parquet file; ``first_seq`` is the number of its first line within the shop.

    ``field_ids`` are Iceberg's numbers of the columns of ``BRONZE_HISTORY``.
    """

    shop_id: str
    source: Path
    landed: LandedFile
    first_seq: int
    target: Path
    field_ids: dict[str, int]
    money: ShopMoney | None = None  # by which amounts in another currency are stamped
    now_ms: int = field(default_factory=lambda: time.time_ns() // 1_000_000)  # the clock of the import


@dataclass
class LineCounts:
    """How many lines were read and what the contract said of them; repairs whose line is another one now."""

    lines: int = 0
    invalid: Counter[str] = field(default_factory=Counter)
    outdated_repairs: int = 0

    @property
    def good(self) -> int:
        """Lines that the contract accepts; whether they are late, future or doubled is decided later."""
        return self.lines - sum(self.invalid.values())

    def add(self, other: LineCounts) -> None:
        """Add another file's counts."""
        self.lines += other.lines
        self.invalid.update(other.invalid)


def read_lines(source: Path, landed: LandedFile) -> list[bytes]:
    """Lines of a landing file, without their ends. Raises LandingError where it differs from its manifest entry."""
    try:
        content = source.read_bytes()
    except FileNotFoundError:
        raise LandingError(f"{source} is named in manifest.json but does not exist; write the landing files again") from None
    digest = hashlib.sha256(content).hexdigest()
    if digest != landed.sha256:
        raise LandingError(
            f"{source}: sha256 is {digest[:12]}…, manifest.json says {landed.sha256[:12]}…; "
            "the file changed after it was written, so write the landing files again"
        )
    lines = content.split(b"\n")
    if lines[-1] == b"":
        lines.pop()
    if len(lines) != landed.lines:
        raise LandingError(f"{source}: {len(lines)} lines, manifest.json says {landed.lines}")
    return lines


def land_file(task: FileTask) -> LineCounts:
    """Check one landing file against its manifest entry and write its bronze rows. Raises LandingError on a difference."""
    lines = read_lines(task.source, task.landed)
    counts = LineCounts()
    rows = bronze_rows(lines, counts, shop_id=task.shop_id, first_seq=task.first_seq, now_ms=task.now_ms, money=task.money)
    # In small pieces: a column is cut out of rows three times as fast while they are still in the processor's cache.
    pieces = [to_arrow(BRONZE_EVENTS, piece) for piece in iter(lambda: list(islice(rows, _PIECE)), [])]
    write_parquet(in_lake(pa.concat_tables(pieces), BRONZE_HISTORY), task.target, task.field_ids)
    return counts


def in_lake(rows: pa.Table, schema: TableSchema) -> pa.Table:
    """Rows with the columns of ``BRONZE_EVENTS`` as the lake's tables have them: with ``received_at``, without an outcome."""
    received_at = pc.multiply(rows["received_at_ms"], 1000).cast(pa.timestamp("us"))
    there = dict(zip(rows.column_names, rows.columns, strict=True)) | {"received_at": received_at}
    target = arrow_schema(schema)
    columns = [there[field.name] if field.name in there else pa.nulls(len(rows), field.type) for field in target]
    return pa.Table.from_arrays(columns, schema=target)


def bronze_rows(
    lines: Iterable[bytes],
    counts: LineCounts,
    *,
    shop_id: str,
    first_seq: int,
    now_ms: int | None = None,
    money: ShopMoney | None = None,
) -> Iterator[dict[str, Any]]:
    """Bronze rows of history lines, in order; ``counts`` is updated with each. ``now_ms`` is the clock of the import: times far
    ahead of it are refused. ``money`` stamps amounts in another currency than the shop's.

    ``received_at_ms`` is the event's ``received_at``, else its ``occurred_at``, and never later than ``now_ms``: what has not
    happened yet became known now, so that it is future and lies in quarantine. A line that has neither became known together
    with the line before it (or, at the start of a file, with the first line that has one; 0 when none has). History did not run
    through the log, so ``log_partition`` and ``log_offset`` are null.
    """
    collector_id = f"history:{shop_id}"
    last_known: int | None = None
    waiting: list[dict[str, Any]] = []
    for seq, line in enumerate(lines, start=first_seq):
        raw, refusal = read_event(line)
        record, checked = record_of(
            raw,
            shop_id=shop_id,
            collector_id=collector_id,
            seq=seq,
            collected_at_ms=0,
            line=kept_text(line),
            refusal=refusal,
            now_ms=now_ms,
            sent_by="import",
            money=money,
        )
        counts.lines += 1
        if isinstance(checked, Refusal):
            counts.invalid[checked.reason] += 1
        known = known_since_ms(raw, record, checked)
        row: dict[str, Any] = {name: value for name, value in record.items() if name in BRONZE_EVENTS.columns}
        row |= {"log_partition": None, "log_offset": None}
        last_known = last_known if known is None else known if now_ms is None else min(known, now_ms)
        if last_known is None:
            waiting.append(row)
            continue
        if waiting:
            yield from (_known_at(early, last_known) for early in waiting)
            waiting.clear()
        yield _known_at(row, last_known)
    yield from (_known_at(row, 0) for row in waiting)


def _known_at(row: dict[str, Any], ms: int) -> dict[str, Any]:
    row["received_at_ms"] = row["collected_at_ms"] = ms
    return row
