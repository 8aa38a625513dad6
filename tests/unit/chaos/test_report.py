"""A run of single faults says what became late, and leaves its line on the page beside those of other runs."""

from __future__ import annotations

from pathlib import Path

from chaos.faults import Happened, named
from chaos.report import ALONE, PAGE, note_run, outage_note
from chaos.run import outage

DECIDED = [(99.0, "before", "good"), (100.5, "a", "late"), (101.0, "b", "invalid"), (399.0, "c", "late"), (400.5, "d", "late")]


def test_what_the_collector_took_in_an_outage_is_told_by_outcome_and_the_late_ones_by_name() -> None:
    of_outage = outage(Happened(named("away:kafka:300"), 100.0, 400.0), DECIDED)
    assert of_outage == {
        "target": "kafka",
        "lasted_s": 300,
        "outcomes": {"late": 2, "invalid": 1},
        "late": ["a", "c"],
    }
    result = {"outages": [of_outage], "findings": [], "date": "today", "command": "make chaos", "acknowledged": 5}
    text = outage_note(result)
    assert "kafka was away for 300 s, in which the collector took 3 events: 1 invalid, 2 late" in text
    assert "from `a` to `c`" in text


def test_notes_of_runs_stay_until_the_same_run_is_done_again(tmp_path: Path) -> None:
    page = tmp_path / PAGE
    page.parent.mkdir(parents=True)
    page.write_text("# Chaos\n")
    note_run(tmp_path, "b", "first: 1")
    note_run(tmp_path, "a", "other")
    note_run(tmp_path, "b", "second: 2")
    assert page.read_text() == f"# Chaos\n{ALONE}\n\n- **a**: other\n- **b**: second: 2\n"
