"""Send what a command has noticed to the operators (``JISHI_OPERATORS``)."""

from __future__ import annotations

import subprocess

from jishi.paths import Paths
from jishi.settings import PROJECT_ROOT


def send_to_operators(subject: str, title: str, text: str) -> bool:
    """Hand a message to ``dashboard.operators``; whether they have it. The same subject is sent again after six hours."""
    command = [str(Paths.main_python()), "-m", "dashboard.operators", "--subject", subject, "--title", title]
    return subprocess.run(command, input=text, text=True, check=False, cwd=PROJECT_ROOT).returncode == 0
