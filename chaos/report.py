"""The report of one run: a page with tables, and a picture."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from chaos.picture import draw_run
from jishi.files import write_atomically

_TEMPLATE = Path(__file__).with_name("report.md")
PAGE, PICTURE = Path("operations/chaos.md"), Path("images/chaos.png")


def write_report(result: dict[str, Any], docs: Path) -> None:
    """Write the page and the picture of a run (``chaos.run.write_result``) below ``docs``."""
    draw_run(result, docs / PICTURE)
    write_atomically(docs / PAGE, page(result))


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
        findings=_rows([f["what"], f"{f['cases']:,}", len(f["wrong"])] for f in result["findings"]),
        outcomes=", ".join(f"{count:,} {outcome}" for outcome, count in result["outcomes"].items()),
        copies=result["copies"],
        views=", ".join(f"`{view}` {count:,}" for view, count in result["by_view"].items() if count),
        unseen=", ".join(f"`{view}`" for view, count in result["by_view"].items() if not count) or "none",
        table=_rows(_fault_row(fault, result) for fault in result["faults"]),
        answer=_latency([answer[1] for answer in result["answers"]]),
        fresh=_latency([probe["fresh_s"] for probe in result["probes"] if probe["fresh_s"] is not None]),
        unshown=sum(1 for probe in result["probes"] if probe["fresh_s"] is None),
    )


def _fault_row(fault: dict[str, Any], result: dict[str, Any]) -> list[str]:
    at = datetime.fromtimestamp(fault["began"], UTC).strftime("%H:%M:%S")
    if fault["skipped"] is not None:
        return [at, fault["name"], "skipped", fault["skipped"], ""]
    # What was under way or began within the fault and the ten seconds after it.
    until = fault["ended"] + 10
    slow = [after_s for ended, after_s, _ in result["answers"] if ended - after_s < until and ended > fault["began"]]
    stale = [
        p["fresh_s"]
        for p in result["probes"]
        if p["fresh_s"] is not None and p["at"] < until and p["at"] + p["fresh_s"] > fault["began"]
    ]
    lasted = f"{fault['ended'] - fault['began']:.1f} s" if fault["fault"]["lasts_s"] else "–"
    return [at, fault["name"], lasted, _longest(slow), _longest(stale)]


def _longest(seconds: Sequence[float]) -> str:
    return f"{max(seconds):.2f} s" if seconds else "none"


def _latency(seconds: Sequence[float]) -> str:
    if len(seconds) < 2:
        return "too few"
    cuts = statistics.quantiles(seconds, n=100)
    return f"p50 {cuts[49]:.3f} s, p99 {cuts[98]:.2f} s, longest {max(seconds):.2f} s"


def _rows(rows: Any) -> str:
    return "\n".join("| " + " | ".join(str(cell) for cell in row) + " |" for row in rows)
