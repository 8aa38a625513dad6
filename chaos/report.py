"""The report of one run: a page with tables, and a picture."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from chaos.feature_check import LOST
from chaos.picture import draw_run
from jishi.files import write_atomically

_TEMPLATE = Path(__file__).with_name("report.md")
PAGE, PICTURE = Path("operations/chaos.md"), Path("images/chaos.png")
ALONE = "\n## Longer faults, each run by itself"


def write_report(result: dict[str, Any], docs: Path) -> None:
    """Write the page and the picture of a run (``chaos.run.write_result``) below ``docs``; what runs of single faults
    (``note_run``) have left on the page stays there.
    """
    draw_run(result, docs / PICTURE)
    known = (docs / PAGE).read_text(encoding="utf-8").partition(ALONE) if (docs / PAGE).exists() else ("", ALONE, "")
    write_atomically(docs / PAGE, page(result) + ALONE + (known[2] or "\n"))


def note_run(docs: Path, name: str, text: str) -> None:
    """Put what a run of single faults showed at the end of the page, in place of the run before of the same name."""
    head, _, tail = (docs / PAGE).read_text(encoding="utf-8").partition(ALONE)
    notes = dict(line.removeprefix("- **").split("**: ", 1) for line in tail.splitlines() if line.startswith("- **"))
    lines = [f"- **{each}**: {note}" for each, note in sorted((notes | {name: text}).items())]
    write_atomically(docs / PAGE, head + ALONE + "\n\n" + "\n".join(lines) + "\n")


def outage_note(result: dict[str, Any]) -> str:
    """What a run showed of the outages in it, in a line."""
    sentences = []
    for outage in result["outages"]:
        taken, late = sum(outage["outcomes"].values()), outage["late"]
        outcomes = ", ".join(f"{count:,} {outcome}" for outcome, count in sorted(outage["outcomes"].items()))
        line = (
            f"{outage['target']} was away for {outage['lasted_s']} s, in which the collector took {taken:,} events: {outcomes}"
        )
        if late:
            line += f"; the late ones, from `{late[0]}` to `{late[-1]}`, are in bronze and silver, and in no live feature"
        sentences.append(line)
    wrong = sum(len(finding["wrong"]) for finding in result["findings"])
    cases = sum(finding["cases"] for finding in result["findings"])
    return (
        f"{result['date']}, `{result['command']}`: {'. '.join(sentences)}. {result['acknowledged']:,} events acknowledged, "
        f"{cases:,} cases checked, {wrong} wrong"
    )


def page(result: dict[str, Any]) -> str:
    """The page as Markdown."""
    wrong = sum(len(finding["wrong"]) for finding in result["findings"])
    return _TEMPLATE.read_text().format(
        date=result["date"],
        machine=result["machine"],
        command=result["command"],
        store=result["store"],
        minutes=f"{(result['ended'] - result['began']) / 60:.1f}",
        faults=sum(1 for fault in result["faults"] if fault["skipped"] is None),
        meant=f"{result['meant']:,}",
        acknowledged=f"{result['acknowledged']:,}",
        summary="0 lost, 0 doubled, no difference" if wrong == 0 else f"{wrong} differences",
        findings=_rows(_finding_rows(result["findings"])),
        outcomes=", ".join(f"{count:,} {outcome}" for outcome, count in result["outcomes"].items()),
        copies=result["copies"],
        lost=LOST,
        lost_values=result["by_view"].get(LOST, 0),
        unseen=", ".join(f"`{view}`" for view, count in result["by_view"].items() if not count) or "none",
        skipped=", ".join(f"{f['name']} ({f['skipped']})" for f in result["faults"] if f["skipped"] is not None) or "none",
        answer=_latency([answer[1] for answer in result["answers"]]),
        fresh=_latency([probe["fresh_s"] for probe in result["probes"] if probe["fresh_s"] is not None]),
        unshown=sum(1 for probe in result["probes"] if probe["fresh_s"] is None),
    )


def _finding_rows(findings: Sequence[dict[str, Any]]) -> list[list[str]]:
    """What was checked, cases and wrong ones; the views of the online store in one row."""
    rows: dict[str, list[int]] = {}
    for finding in findings:
        what = "values in the online store" if finding["what"].endswith(" in the online store") else finding["what"]
        row = rows.setdefault(what, [0, 0])
        row[0] += finding["cases"]
        row[1] += len(finding["wrong"])
    return [[what, f"{cases:,}", f"{wrong:,}"] for what, (cases, wrong) in rows.items()]


def _latency(seconds: Sequence[float]) -> str:
    if len(seconds) < 2:
        return "too few"
    cuts = statistics.quantiles(seconds, n=100)
    return f"p50 {cuts[49]:.3f} s, p99 {cuts[98]:.2f} s, longest {max(seconds):.2f} s"


def _rows(rows: Any) -> str:
    return "\n".join("| " + " | ".join(str(cell) for cell in row) + " |" for row in rows)
