"""``python -m ops.part NAME``: become one part, in the foreground, where a container and not the supervisor keeps it running.

``python -m ops.part --before NAME`` does what must be done once before the part starts: topics, tables, databases.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys

from jishi.paths import Paths
from jishi.settings import get_settings
from ops import airflow
from ops.parts import UnknownPart, all_parts, one_shots, working_directory


def main() -> None:
    """Run the command of the part with its environment. Raises UnknownPart."""
    parser = argparse.ArgumentParser(prog="python -m ops.part", description="Become one part of the platform.")
    parser.add_argument("--before", action="store_true", help="do what the part needs done before it starts, and end")
    parser.add_argument("name")
    chosen = parser.parse_args()
    settings = get_settings()
    paths = Paths.of(settings)
    airflow.write_secrets(paths)
    by_name = {part.name: part for part in all_parts(settings, paths)}
    if chosen.name not in by_name:
        raise UnknownPart(f"there is no part {chosen.name}; there are {', '.join(by_name)}")
    part = by_name[chosen.name]
    os.chdir(working_directory())
    os.environ.update(part.environment)
    if chosen.before:
        for title, command in one_shots(paths).get(part.stage, []):
            print(title, flush=True)
            if code := subprocess.run(command, check=False).returncode:
                sys.exit(code)
        return
    os.execvp(part.command[0], part.command)


if __name__ == "__main__":
    try:
        main()
    except UnknownPart as error:
        sys.exit(f"error: {error}")
