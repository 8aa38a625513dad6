"""The end of the demo: tables for people, and the same as ``var/demo/summary.json``."""

from __future__ import annotations

import json
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from jishi.lake import write_json
from jishi.paths import Paths


def model_metrics(paths: Paths, shop_ids: tuple[str, ...]) -> dict[str, Any]:
    """Evaluation and gate of each shop's newest candidate, as the models wrote them."""
    found: dict[str, Any] = {}
    for shop_id in shop_ids:
        pointer = paths.models / shop_id / "candidates" / "LATEST"
        if not pointer.exists():
            continue
        folder = paths.models / shop_id / "candidates" / pointer.read_text().strip()
        found[shop_id] = {
            name: json.loads((folder / f"{name}.json").read_text())
            for name in ("evaluation", "gate")
            if (folder / f"{name}.json").exists()
        }
    return found


def plain(value: Any) -> Any:
    """Dataclasses and pydantic models as plain JSON values."""
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json")
    return asdict(value) if is_dataclass(value) and not isinstance(value, type) else value


def write(path: Path, summary: dict[str, Any]) -> None:
    """Write the summary in one step."""
    write_json(path, summary)


def show(console: Console, summary: dict[str, Any]) -> None:
    """Print the summary for people."""
    table = Table(title="Events: accepted = silver + duplicates + quarantined", title_justify="left")
    for heading in (
        "shop",
        "accepted",
        "silver",
        "of them late",
        "duplicates",
        "quarantined",
        "orders",
        "GMV (net)",
        "customers",
    ):
        table.add_column(heading, justify="left" if heading == "shop" else "right")
    for shop_id, counts in summary["shops"].items():
        quarantined = ", ".join(f"{n:,} {reason}" for reason, n in counts["quarantined"].items() if n) or "0"
        numbers = [f"{counts[key]:,}" for key in ("accepted", "silver", "late", "duplicates")]
        money = f"{counts['gmv_minor'] / 100:,.2f}"
        table.add_row(shop_id, *numbers, quarantined, f"{counts['orders']:,}", money, f"{counts['paying_customers']:,}")
    console.print(table)
    steps = Table(title="Steps", title_justify="left")
    steps.add_column("step")
    steps.add_column("seconds", justify="right")
    for step, seconds in summary["steps_s"].items():
        steps.add_row(step, f"{seconds:,.1f}")
    console.print(steps)
    pages = Table(title="Open in a browser (make down stops everything)", title_justify="left")
    pages.add_column("page")
    pages.add_column("address")
    for name, url in summary["urls"].items():
        pages.add_row(name, url)
    console.print(pages)
