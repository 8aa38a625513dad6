"""``python -m chaos.crash_report ROWS PARTS VERSION``: the page of ``make survive``, from two files; VERSION is the code's.

ROWS has a line of each stage of the crash matrix and test, PARTS one of each part, with tabs between: its title, exit code
(``not-run`` where it was left out), seconds, when it ended (UTC), command.
"""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from jishi.settings import PROJECT_ROOT

NOT_RUN = "not-run"
PAGE = PROJECT_ROOT / "docs" / "operations" / "survive.md"
TEMPLATE = Path(__file__).with_name("crash_report.md")
_DONE = ("points", "killed", "filled", "met", "refused", "reads")
COLUMNS = ("stage", "writes", *_DONE)


class SurvivePart(NamedTuple):
    """One part of ``make survive``: ``code`` is its exit code or ``not-run``, ``ended`` a time as the page shows it."""

    title: str
    code: str
    seconds: float
    ended: str

    @property
    def outcome(self) -> str:
        return {"0": "held", NOT_RUN: "not run"}.get(self.code, "**did not hold**")


def render(tried: list[dict[str, Any]], parts: list[SurvivePart], version: str, today: str) -> str:
    """The page; ``tried`` are stages as tests/integration/survive tells them, once for each test."""
    tried = added_up(tried)
    rows = "\n".join("| " + " | ".join(_shown(stage.get(name, 0)) for name in COLUMNS) + " |" for stage in tried)
    kinds: Counter[str] = Counter()
    for stage in tried:
        kinds.update(stage["kinds"])
    return TEMPLATE.read_text().format(
        rows=rows,
        parts="\n".join(
            f"| {part.title} | {part.outcome} | "
            + ("| |" if part.code == NOT_RUN else f"{part.seconds / 60:.0f} | {part.ended} |")
            for part in parts
        ),
        **{name: f"{sum(stage.get(name, 0) for stage in tried):,}" for name in ("points", "filled", "met", "reads")},
        minutes=round(sum(part.seconds for part in parts) / 60),
        cores=os.cpu_count(),
        date=today,
        version=version,
        kinds=", ".join(f"{kind} {number:,}" for kind, number in kinds.most_common()),
    )


def added_up(tried: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One entry a stage: what its tests did together. They count the same writes."""
    by_stage: dict[str, dict[str, Any]] = {}
    for entry in tried:
        stage = by_stage.setdefault(entry["stage"], entry | dict.fromkeys(_DONE, 0))
        stage.update({name: stage[name] + entry.get(name, 0) for name in _DONE})
    return list(by_stage.values())


def main(rows: Path, parts: Path, version: str) -> int:
    """Write the page; exit code 1 when a part did not hold."""
    tried = [json.loads(line) for line in rows.read_text().splitlines()]
    done = [
        SurvivePart(title, code, float(seconds), ended)
        for title, code, seconds, ended, *_ in map(_fields, parts.read_text().splitlines())
    ]
    PAGE.write_text(render(tried, done, version, datetime.now(UTC).date().isoformat()), encoding="utf-8")
    without = [part for part in done if part.code != "0"]
    print(
        f"wrote {PAGE.relative_to(PROJECT_ROOT)}; "
        + ("; ".join(f"{part.outcome.strip('*')}: {part.title}" for part in without) or "all of it held")
    )
    return 1 if without else 0


def _fields(line: str) -> list[str]:
    return line.split("\t")


def _shown(value: str | int) -> str:
    return f"{value:,}" if isinstance(value, int) else value


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]))
