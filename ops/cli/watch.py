"""``jishi watch``: what is wrong with the data right now."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime
from typing import Annotated

import typer

from jishi.paths import Paths
from jishi.settings import PROJECT_ROOT, get_settings


def watch(
    sends: Annotated[bool, typer.Option("--tell", help="send each to the operators, and end with 0 when they have it")] = False,
) -> None:
    """Look at lag, gaps, refused events, freshness and parity; exit 1 when something is wrong, with what to do."""
    from quality.watch import problems

    settings = get_settings()
    noticed = problems(settings, datetime.now(UTC))
    unheard = 0
    for problem in noticed:
        print(f"{problem.name}: {problem.says}", flush=True)
        if sends:
            command = [str(Paths.main_python()), "-m", "dashboard.operators", "--subject", f"watch.{problem.name}"]
            command += ["--title", f"watch: {problem.name}"]
            unheard += subprocess.run(command, input=problem.says, text=True, check=False, cwd=PROJECT_ROOT).returncode != 0
    if not noticed:
        print("lag, gaps, refused events, freshness and parity are as they should be")
    raise typer.Exit(1 if (unheard if sends else noticed) else 0)
