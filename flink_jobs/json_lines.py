"""Sinks of committed JSON-lines files: what the log holds beside records, and everything that a replay gives."""

from __future__ import annotations

from pathlib import Path

from jishi.files import file_uri


def json_lines_table(name: str, columns: str, folder: Path, *, roll_after_ms: int) -> str:
    """Statement that creates the sink ``name`` in ``folder``.

    A file is closed ``roll_after_ms`` after its first row and gets its name with the next checkpoint; until then its name
    starts with a dot. Each row is in exactly one named file, also after a kill and a restart from the newest checkpoint.
    """
    return f"""\
CREATE TEMPORARY TABLE {name} (
  {columns}
) WITH (
  'connector' = 'filesystem',
  'path' = '{file_uri(folder)}',
  'format' = 'json',
  'sink.rolling-policy.rollover-interval' = '{roll_after_ms} ms',
  'sink.rolling-policy.inactivity-interval' = '{roll_after_ms} ms',
  'sink.rolling-policy.check-interval' = '{max(roll_after_ms // 2, 100)} ms',
  'sink.rolling-policy.file-size' = '64 MB'
)"""
