"""A simulated history ends on the day that is asked for, by default yesterday at the shop's place."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from jishi.settings import PROJECT_ROOT
from jishi.shops import yesterday


@pytest.mark.parametrize(
    ("now", "expected"),
    [("2026-11-29T15:59:59+00:00", "2026-11-28"), ("2026-11-29T16:00:00+00:00", "2026-11-29")],  # midnight in Shanghai
)
def test_yesterday_is_that_of_the_shop(now: str, expected: str) -> None:
    assert yesterday("Asia/Shanghai", datetime.fromisoformat(now)).isoformat() == expected


def simulate(out: Path, *options: str, code: int = 0) -> str:
    command = [sys.executable, "-m", "simulator", "--shop", "any", "--users", "10", "--days", "3", "--out", str(out), *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=PROJECT_ROOT)
    assert done.returncode == code, done.stderr
    return done.stderr


def last_day(out: Path) -> date:
    lines = [json.loads(line) for file in sorted((out / "any").glob("*.jsonl")) for line in file.read_bytes().splitlines()]
    received = [datetime.fromisoformat(line["received_at"]) for line in lines if isinstance(line, dict)]
    return max(received).astimezone(ZoneInfo("Asia/Shanghai")).date()


def digest(out: Path) -> str:
    return hashlib.sha256(b"".join(file.read_bytes() for file in sorted((out / "any").glob("*.jsonl")))).hexdigest()


def test_the_last_day_decides_the_bytes(tmp_path: Path) -> None:
    simulate(tmp_path / "a", "--until", "2026-10-12")
    simulate(tmp_path / "b", "--start", "2026-10-10")
    assert last_day(tmp_path / "a") == date(2026, 10, 12)
    assert digest(tmp_path / "a") == digest(tmp_path / "b")
    simulate(tmp_path / "c")
    today = datetime.now(UTC).astimezone(ZoneInfo("Asia/Shanghai")).date()
    assert today - timedelta(days=2) <= last_day(tmp_path / "c") < today
    assert "give one of both" in simulate(tmp_path / "d", "--until", "2026-10-12", "--start", "2026-10-10", code=2)
    assert "--until: 'soon' is not a date" in simulate(tmp_path / "d", "--until", "soon", code=2)
