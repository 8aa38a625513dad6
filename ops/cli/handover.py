"""Hand the rest of a command line to a part's own entry point: ``jishi`` may not import the parts."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

from jishi.paths import Paths
from jishi.settings import PROJECT_ROOT, get_settings

PASS_THROUGH = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}


def hand_over(module: str, arguments: list[str], folder: Path | None = PROJECT_ROOT, group: str = "main") -> NoReturn:
    """Run a part's entry point with the user's arguments and leave with its exit code.

    ``group`` names the environment that the part lives in. ``folder`` None keeps the user's own, so that paths among the
    arguments mean what the user meant.
    """
    command, environment = part_command(module, arguments, group)
    sys.exit(subprocess.run(command, check=False, cwd=folder, env=environment).returncode)


def run_part(module: str, arguments: list[str], folder: Path | None = PROJECT_ROOT, group: str = "main") -> None:
    """Run a part's entry point and come back; leave with its exit code when it failed."""
    command, environment = part_command(module, arguments, group)
    if code := subprocess.run(command, check=False, cwd=folder, env=environment).returncode:
        sys.exit(code)


def part_command(module: str, arguments: list[str], group: str = "main") -> tuple[list[str], dict[str, str]]:
    """The command of a part's entry point and its environment."""
    python = Paths.of(get_settings()).python(group)
    search = os.pathsep.join([str(PROJECT_ROOT), os.environ.get("PYTHONPATH", "")]).strip(os.pathsep)
    # -P keeps a folder of the user's that is named like a part from being imported instead of it.
    return [str(python), "-P", "-m", module, *arguments], os.environ | {"PYTHONPATH": search}
