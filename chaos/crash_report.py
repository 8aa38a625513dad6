"""``python -m chaos.crash_report ROWS PARTS``: the page of ``make survive``, from two files.

ROWS has a line of each stage of the crash matrix, PARTS one of each part: its title, exit code and seconds, with tabs between.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jishi.settings import PROJECT_ROOT

PAGE = PROJECT_ROOT / "docs" / "operations" / "survive.md"
TEMPLATE = Path(__file__).with_name("crash_report.md")
_DONE = ("points", "killed", "filled", "met", "refused", "reads")
COLUMNS = ("stage", "writes", *_DONE)


def render(tried: list[dict[str, Any]], parts: list[tuple[str, int, float]], commit: str, today: str) -> str:
    """The page; ``tried`` are stages as tests/integration/survive tells them, once for each test, ``parts`` are titles, exit
    codes and seconds.
    """
    tried = added_up(tried)
    rows = "\n".join("| " + " | ".join(_shown(stage.get(name, 0)) for name in COLUMNS) + " |" for stage in tried)
    kinds: Counter[str] = Counter()
    for stage in tried:
        kinds.update(stage["kinds"])
    return TEMPLATE.read_text().format(
        rows=rows,
        parts="\n".join(
            f"| {title} | {'held' if code == 0 else '**did not hold**'} | {seconds / 60:.0f} |"
            for title, code, seconds in parts
        ),
        **{name: f"{sum(stage.get(name, 0) for stage in tried):,}" for name in ("points", "filled", "met", "reads")},
        minutes=round(sum(seconds for *_, seconds in parts) / 60),
        cores=os.cpu_count(),
        date=today,
        commit=commit,
        kinds=", ".join(f"{kind} {number:,}" for kind, number in kinds.most_common()),
    )


def added_up(tried: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One entry a stage: what its tests did together. They count the same writes."""
    by_stage: dict[str, dict[str, Any]] = {}
    for entry in tried:
        stage = by_stage.setdefault(entry["stage"], entry | dict.fromkeys(_DONE, 0))
        stage.update({name: stage[name] + entry.get(name, 0) for name in _DONE})
    return list(by_stage.values())


def main(rows: Path, parts: Path) -> int:
    """Write the page; exit code 1 when a part did not hold."""
    tried = [json.loads(line) for line in rows.read_text().splitlines()]
    done = [(title, int(code), float(seconds)) for title, code, seconds in map(_fields, parts.read_text().splitlines())]
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=PROJECT_ROOT, capture_output=True, text=True, check=False
    ).stdout.strip()
    PAGE.write_text(render(tried, done, commit or "unknown", datetime.now(UTC).date().isoformat()), encoding="utf-8")
    failed = [title for title, code, _ in done if code != 0]
    print(f"wrote {PAGE.relative_to(PROJECT_ROOT)}; " + (f"did not hold: {', '.join(failed)}" if failed else "all of it held"))
    return 1 if failed else 0


def _fields(line: str) -> list[str]:
    return line.split("\t")


def _shown(value: str | int) -> str:
    return f"{value:,}" if isinstance(value, int) else value


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
