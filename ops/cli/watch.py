"""``jishi watch``: what is wrong with the data right now."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import Annotated

import typer

from jishi.heartbeat import beat
from jishi.paths import Paths
from jishi.settings import get_settings
from ops.cli.operators import send_to_operators


def watch(
    sends: Annotated[bool, typer.Option("--tell", help="send each to the operators, and end with 0 when they have it")] = False,
) -> None:
    """Look at lag, gaps, refusals, freshness and parity; exit 1 when something is wrong, with what to do."""
    from quality.watch import CHECKS, problems

    settings = get_settings()
    noticed = problems(settings, datetime.now(UTC))
    counts = Counter(problem.check for problem in noticed)
    beat(
        Paths.of(settings), "watch", problems={check: counts[check] for check in CHECKS}
    )  # the exporter shows it to Prometheus
    unheard = 0
    for problem in noticed:
        print(f"{problem.name}: {problem.says}", flush=True)
        if sends:
            unheard += not send_to_operators(f"watch.{problem.name}", f"watch: {problem.name}", problem.says)
    if not noticed:
        print("lag, gaps, refusals, freshness and parity are as they should be")
    raise typer.Exit(1 if (unheard if sends else noticed) else 0)
