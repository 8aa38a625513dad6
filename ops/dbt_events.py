"""``python -m ops.dbt_events``: OpenLineage events of the newest dbt build, where they are asked for.

dbt's own wrapper makes them of the files that a build leaves.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from jishi.files import write_atomically
from jishi.paths import Paths
from jishi.settings import Settings, get_settings
from ops.dbt import DBT, dbt_environment
from ops.marts import work_database
from ops.openlineage import NAMESPACE, transport


class EventsNotSent(RuntimeError):
    """The wrapper failed; the message has its last lines."""


def send_build(settings: Settings) -> int | None:
    """Send the events of the newest dbt build, unless they were sent; how many, None without any. Raises EventsNotSent."""
    paths, target = Paths.of(settings), transport(settings, "dbt")
    results = paths.warehouse / "target" / "run_results.json"
    if target is None or not results.exists():
        return None
    invocation, note = (
        json.loads(results.read_text(encoding="utf-8"))["metadata"]["invocation_id"],
        paths.log / "openlineage" / "sent",
    )
    if note.exists() and note.read_text(encoding="utf-8") == invocation:
        return None
    variables = {f"OPENLINEAGE__TRANSPORT__{name.upper()}": json.dumps(value).strip('"') for name, value in target.items()}
    environment = (
        os.environ | dbt_environment(settings, work_database(paths)) | variables | {"OPENLINEAGE_NAMESPACE": NAMESPACE}
    )
    wrapper = [sys.executable, str(Path(sys.executable).with_name("dbt-ol")), "send-events", "--project-dir", str(DBT)]
    done = subprocess.run(
        [*wrapper, "--target-path", str(results.parent)], env=environment, cwd=DBT, capture_output=True, text=True, check=False
    )
    lines = (done.stdout + done.stderr).splitlines()
    counts = [line.rsplit("Emitted ", 1)[1].split()[0] for line in lines if "Emitted " in line]
    if done.returncode != 0 or not counts:
        raise EventsNotSent("dbt-ol sent nothing: " + "\n".join(lines[-8:]))
    write_atomically(note, invocation)
    return int(counts[-1])


def main() -> int:
    """Send what is to be sent; an error is printed in one line."""
    try:
        sent = send_build(get_settings())
    except EventsNotSent as error:
        print(f"ops.dbt_events: {error}", file=sys.stderr)
        return 1
    print("nothing to send" if sent is None else f"sent {sent:,} OpenLineage events of the newest dbt build")
    return 0


if __name__ == "__main__":
    sys.exit(main())
