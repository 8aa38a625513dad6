"""Processes of other engines on the lake of a test."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from jishi.paths import Paths
from jishi.settings import PROJECT_ROOT, Settings
from tests.log_records import view_of

NOON_MS = 1_790_000_000_000 // 86_400_000 * 86_400_000 + 43_200_000


def environment(settings: Settings, **changed: str) -> dict[str, str]:
    given = settings.model_dump(exclude_defaults=True) | changed
    return os.environ | {f"JISHI_{name.upper()}": str(value) for name, value in given.items()}


def run(settings: Settings, group: str, *arguments: str, **changed: str) -> str:
    done = subprocess.run(
        [str(Paths.of(settings).python(group)), *arguments],
        cwd=PROJECT_ROOT,
        env=environment(settings, **changed),
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return done.stdout


def live_row(seq: int) -> dict[str, Any]:
    clocks = dict.fromkeys(("occurred_at_ms", "collected_at_ms", "received_at_ms"), NOON_MS)
    return {**view_of(seq), **clocks, "log_partition": 0, "log_offset": seq}


def append_by_flink(settings: Settings, folder: Path, rows: list[dict[str, Any]]) -> None:
    """Append rows to bronze as the live job does; ``folder`` is made."""
    folder.mkdir()
    (folder / "part-0").write_text("".join(json.dumps(row) + "\n" for row in rows))
    run(settings, "flink", str(Path(__file__).with_name("flink_append.py")), str(folder))
