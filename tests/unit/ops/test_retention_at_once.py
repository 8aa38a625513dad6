"""Two runs of retention at once: what one has taken away costs the other nothing."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ops.retention import applying
from ops.retention.places import files_of
from ops.retention.rules import OlderThan

OLD_S = 1_700_000_000


def test_a_file_that_another_run_took_away_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(4):
        file = tmp_path / "lake" / f"history-{number}" / "a" / "part.parquet"
        file.parent.mkdir(parents=True)
        file.write_bytes(b"x")
        os.utime(file, (OLD_S + number, OLD_S + number))
    listed = list(files_of(tmp_path))

    def listed_before_the_other_run(var: Path) -> list[Path]:
        for file in listed[:2]:
            file.unlink()
        return listed

    monkeypatch.setattr(applying, "files_of", listed_before_the_other_run)
    applying.retain_files(tmp_path, OLD_S + 400 * 86_400)
    assert not any(file.exists() for file in listed)


def test_what_is_gone_does_not_spare_less_of_what_is_there(tmp_path: Path) -> None:
    files = [tmp_path / "old", tmp_path / "new", tmp_path / "gone"]
    for number, file in enumerate(files[:2]):
        file.write_bytes(b"x")
        os.utime(file, (OLD_S + number, OLD_S + number))
    rule = OlderThan(days=1, but_newest=1)
    assert files[1] not in rule.doomed(files, OLD_S + 400 * 86_400)
