"""The bronze archive: every readable record with its outcome, in committed JSON-lines files."""

from __future__ import annotations

from pathlib import Path

from jishi.tables import BRONZE_EVENTS

OUTCOME_COLUMN = "outcome"


def archive_table(folder: Path, *, roll_after_ms: int) -> str:
    """Statement that creates the sink ``archive`` in ``folder``.

    A file is closed ``roll_after_ms`` after its first row and gets its name with the next checkpoint; until then its name
    starts with a dot. Each row is in exactly one named file, also after a kill and a restart from the newest checkpoint.
    """
    return json_lines_table(
        "archive", f"{BRONZE_EVENTS.flink_ddl}, `{OUTCOME_COLUMN}` STRING", folder, roll_after_ms=roll_after_ms
    )


def archive_insert() -> str:
    """Statement that fills ``archive`` from ``events``."""
    return f"INSERT INTO archive SELECT {', '.join(f'`{c}`' for c in BRONZE_EVENTS.columns)}, `{OUTCOME_COLUMN}` FROM events"


def json_lines_table(name: str, columns: str, folder: Path, *, roll_after_ms: int) -> str:
    """Statement that creates a sink of committed JSON-lines files."""
    return f"""\
CREATE TEMPORARY TABLE {name} (
  {columns}
) WITH (
  'connector' = 'filesystem',
  'path' = '{folder.as_uri()}',
  'format' = 'json',
  'sink.rolling-policy.rollover-interval' = '{roll_after_ms} ms',
  'sink.rolling-policy.inactivity-interval' = '{roll_after_ms} ms',
  'sink.rolling-policy.check-interval' = '{max(roll_after_ms // 2, 100)} ms',
  'sink.rolling-policy.file-size' = '64 MB'
)"""
