"""``python -m chaos.crash_report ROWS SECONDS``: the page of a run of the crash matrix, from a line of each stage."""

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
COLUMNS = ("stage", "writes", "points", "killed", "filled", "met", "refused", "reads")


def render(tried: list[dict[str, Any]], seconds: float, commit: str, today: str) -> str:
    """The page; ``tried`` are the stages as tests/integration/survive tells them."""
    rows = "\n".join("| " + " | ".join(_shown(stage.get(name, 0)) for name in COLUMNS) + " |" for stage in tried)
    kinds: Counter[str] = Counter()
    for stage in tried:
        kinds.update(stage["kinds"])
    return TEMPLATE.read_text().format(
        rows=rows,
        **{name: f"{sum(stage.get(name, 0) for stage in tried):,}" for name in ("points", "filled", "met", "reads")},
        minutes=round(seconds / 60),
        cores=os.cpu_count(),
        date=today,
        commit=commit,
        kinds=", ".join(f"{kind} {number:,}" for kind, number in kinds.most_common()),
    )


def main(rows: Path, seconds: float) -> None:
    """Write the page."""
    tried = [json.loads(line) for line in rows.read_text().splitlines()]
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=PROJECT_ROOT, capture_output=True, text=True, check=False
    ).stdout.strip()
    PAGE.write_text(render(tried, seconds, commit or "unknown", datetime.now(UTC).date().isoformat()), encoding="utf-8")
    print(f"wrote {PAGE.relative_to(PROJECT_ROOT)}")


def _shown(value: str | int) -> str:
    return f"{value:,}" if isinstance(value, int) else value


if __name__ == "__main__":
    main(Path(sys.argv[1]), float(sys.argv[2]))
