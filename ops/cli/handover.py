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
    python = Paths.of(get_settings()).python(group)
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([str(PROJECT_ROOT), os.environ.get("PYTHONPATH", "")]).strip(os.pathsep)
    }
    # -P keeps a folder of the user's that is named like a part from being imported instead of it.
    command = [str(python), "-P", "-m", module, *arguments]
    sys.exit(subprocess.run(command, check=False, cwd=folder, env=environment).returncode)
