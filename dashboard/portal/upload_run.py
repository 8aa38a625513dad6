"""``python -m dashboard.portal.upload_run FOLDER look|import LOCK``: the steps of one upload, one after the other.

Started by the portal, which hands over the open file that locks the shop. What the commands print goes to ``<act>.txt``, how
far it is to ``progress.json``. Over all shops one import runs at a time and one look: others wait for their turn.
"""

from __future__ import annotations

import fcntl
import json
import subprocess
import sys
from pathlib import Path

from dashboard.portal.uploads import Act, Progress
from jishi.files import write_json
from jishi.paths import Paths
from jishi.settings import PROJECT_ROOT

_LONGEST_S: dict[Act, int] = {"look": 15 * 60, "import": 6 * 3600}
TOO_LONG = 124  # as timeout(1) says it


def run(folder: Path, act: Act, lock: int) -> int:
    """Run the steps until one fails; its exit code, or 0."""
    steps = json.loads((folder / "steps.json").read_text(encoding="utf-8"))
    progress = Progress(act=act, steps=len(steps))
    with (folder / f"{act}.txt").open("wb") as out, (folder.parent.parent / f".{act}").open("ab") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        code = 0
        for number, arguments in enumerate(steps, 1):
            progress = progress.model_copy(update={"step": number})
            write_json(folder / "progress.json", progress.model_dump())
            command = [str(Paths.main_python()), "-P", "-m", *arguments]
            try:
                code = subprocess.run(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=subprocess.STDOUT,
                    cwd=PROJECT_ROOT,
                    pass_fds=[lock],
                    timeout=_LONGEST_S[act],
                    check=False,
                ).returncode
            except subprocess.TimeoutExpired:
                code = TOO_LONG
            if code:
                break
    write_json(folder / "progress.json", progress.model_copy(update={"code": code}).model_dump())
    fcntl.flock(lock, fcntl.LOCK_UN)  # whoever reads that it has ended may begin the next
    return code


if __name__ == "__main__":
    _, _folder, _act, _lock = sys.argv
    sys.exit(run(Path(_folder), "look" if _act == "look" else "import", int(_lock)))
