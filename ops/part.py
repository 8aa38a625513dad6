"""``python -m ops.part [NAME]``: become one part, in the foreground, where a container and not the supervisor keeps it running.

``--before`` instead does what must be done once before the part starts (topics, tables, databases); ``--check`` ends with 0
when the part, running beside it, is healthy. Without a name it is the part that ``JISHI_PART`` names.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys

from jishi.paths import Paths
from jishi.settings import get_settings
from ops import airflow
from ops.health import health_of
from ops.parts import UnknownPart, all_parts, one_shots, working_directory
from ops.proxies import direct_hosts


def main() -> int:
    """Run the command of the part with its environment; returns only for ``--before`` and ``--check``. Raises UnknownPart."""
    parser = argparse.ArgumentParser(prog="python -m ops.part", description="Become one part of the platform.")
    parser.add_argument("--before", action="store_true", help="do what the part needs done before it starts, and end")
    parser.add_argument("--check", action="store_true", help="end with 0 when the part that runs here is healthy")
    parser.add_argument("name", nargs="?", default=os.environ.get("JISHI_PART", ""))
    chosen = parser.parse_args()
    settings = get_settings()
    paths = Paths.of(settings)
    os.environ.update(direct_hosts(settings))
    airflow.write_secrets(paths)
    by_name = {part.name: part for part in all_parts(settings, paths)}
    if chosen.name not in by_name:
        raise UnknownPart(f"there is no part {chosen.name!r}; there are {', '.join(by_name)}")
    part = by_name[chosen.name]
    if chosen.check:
        health = health_of(part, settings, paths, "RUNNING")
        print(health.message)
        return 0 if health.is_healthy else 1
    os.chdir(working_directory())
    os.environ.update(part.environment)
    if chosen.before:
        for title, command in one_shots(paths).get(part.stage, []):
            print(title, flush=True)
            if code := subprocess.run(command, check=False).returncode:
                return code
        return 0
    os.execvp(part.command[0], part.command)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except UnknownPart as error:
        sys.exit(f"error: {error}")
