"""The list of switches does not grow for ever, and forgets nothing that somebody decided."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from models.release import switches
from models.release.switches import PUBLISHED, ROLLED_BACK, Switch, Switches, write_switch

BEGIN = datetime(2020, 1, 1, tzinfo=UTC)
KEPT_LINES = 40


def test_old_lines_go_and_what_was_taken_back_stays_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(switches, "KEPT_LINES", KEPT_LINES)
    (tmp_path / "a").mkdir()
    everything: list[Switch] = []

    def note(day: int, action: str, candidate: str, withdrawn: str | None = None) -> None:
        at = BEGIN + timedelta(days=day)
        everything.append(Switch(at, "p", action, f"v-{candidate}", candidate, f"v-{withdrawn or 0}", withdrawn))
        write_switch(tmp_path, "a", everything[-1])

    most = 0
    for day in range(3 * KEPT_LINES):
        note(day, PUBLISHED, f"c{day}")
        if day in (5, 10):
            note(day, ROLLED_BACK, f"c{day - 1}", withdrawn=f"c{day}")
        if day == 20:
            note(day, PUBLISHED, "c10")  # named again: it may come back
        most = max(most, len(Switches.read(tmp_path, "a").lines))
    kept, whole = Switches.read(tmp_path, "a"), Switches(tuple(everything))
    assert most <= 2 * KEPT_LINES
    assert len(kept.lines) < len(everything)
    assert kept.withdrawn() == whole.withdrawn()
    assert set(kept.withdrawn()) == {"c5"}
    assert kept.withdrawn_versions() == whole.withdrawn_versions()
    assert kept.newest == whole.newest
    for name in ("c5", "c10", f"c{2 * KEPT_LINES}"):
        assert kept.objection(name) == whole.objection(name)
