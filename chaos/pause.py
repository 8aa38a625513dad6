"""``python -m chaos.pause``: the stream stands still for a week and goes on; nothing is lost, features are the log's.

Nobody waits: Python and Java live by the clock of ``shim.c``. First it is a week behind; the stream is stopped, events come on,
the platform is stopped, its files are dated back, the clock is right again, and the platform starts. The week is an hour short
of what the event log keeps: what the stream has not read after seven days is gone from the log.

Exit code 0 when every check holds, 1 when one does not, 2 when the run itself failed.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from chaos.evidence import read_archive
from chaos.ledger import Account, SentLedger
from chaos.prove import ChaosProof, prove
from chaos.report import note_run
from chaos.settle import NotSettled, settle
from chaos.shim import Shim, ShimFailed, compiled_shim
from chaos.stage import Stage, chosen_store, make_stage
from chaos.traffic import Traffic
from jishi import feast_import, topics
from jishi.files import write_json
from jishi.lake.live import LiveTail
from jishi.settings import PROJECT_ROOT
from ops.lifecycle import PlatformError
from ops.supervisor import rpc

PAUSE_S = int(topics.EVENTS.config["retention.ms"]) // 1000 - 3600
SETTLE_S = 300.0
SEED = 7


def run(stage: Stage, clock: Shim, *, seconds: float, per_s: float) -> dict[str, Any]:
    """Traffic for so many seconds with the stream, without it, and a week later. Raises what ``chaos.run.run`` raises."""
    file = stage.paths.run / "chaos" / "ledger.jsonl"
    ledger = SentLedger(file)
    traffic = Traffic(stage.url, stage.key, ledger, events_per_s=per_s, seed=SEED)
    try:
        clock.set(clock_skew_ms=-1000 * PAUSE_S)
        stage.up(_say)
        began = time.time()
        _send(traffic, seconds)
        rpc(stage.paths).stopProcess("flink", True)
        _say("the stream stands still, events come on")
        _send(traffic, seconds)
        paused_at = time.time()
        stage.down()
        archived = LiveTail(stage.settings).rows().num_rows
        _date_back(stage.paths.var)
        clock.set()
        _say(f"it is {timedelta(seconds=round(time.time() - paused_at))} later")
        stage.up(_say)
        _send(traffic, seconds)
        settle(stage, began=began, timeout_s=SETTLE_S)
        proof = prove(stage, file, stage.paths.run / "chaos" / "check")
        return result_of(stage, proof, Account.of(file), paused_at, archived)
    finally:
        ledger.close()
        stage.down()


def result_of(stage: Stage, proof: ChaosProof, account: Account, paused_at: float, archived: int) -> dict[str, Any]:
    """What the run showed; ``unread`` were in the log before the pause and not among the rows of bronze, ``archived``."""
    rows = read_archive(stage)
    before = [row for row in rows if row["received_at_ms"] < 1000 * paused_at]
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "pause_s": PAUSE_S,
        "acknowledged": len(account.acknowledged),
        "unread": len(before) - archived,
        "outcomes_before": dict(Counter(row["outcome"] for row in before)),
        "outcomes_after": dict(Counter(row["outcome"] for row in rows if row["received_at_ms"] >= 1000 * paused_at)),
        "findings": [{"what": each.what, "cases": each.cases, "wrong": each.wrong} for each in proof.findings],
        "is_fine": proof.is_fine,
    }


def note(result: dict[str, Any]) -> str:
    """What the run showed, in a line."""
    wrong = sum(len(finding["wrong"]) for finding in result["findings"])
    cases = sum(finding["cases"] for finding in result["findings"])
    outcomes = {
        when: ", ".join(f"{count:,} {outcome}" for outcome, count in sorted(result[f"outcomes_{when}"].items()))
        for when in ("before", "after")
    }
    return (
        f"{result['date']}, `python -m chaos.pause`: {timedelta(seconds=result['pause_s'])} by the clocks of Python and Java, "
        f"{result['unread']:,} records were in the log and not in bronze when it began; received before it "
        f"{outcomes['before']}, after it {outcomes['after']}. {result['acknowledged']:,} events acknowledged, "
        f"{cases:,} cases checked, {wrong} wrong"
    )


def _send(traffic: Traffic, seconds: float) -> None:
    traffic.start()
    try:
        time.sleep(seconds)
    finally:
        traffic.stop()


def _date_back(var: Path) -> None:
    """The kernel's clock has no shim: files are as old as the pause is long."""
    for file in var.rglob("*"):
        if file.is_file() and not file.is_symlink():
            at = file.stat().st_mtime - PAUSE_S
            os.utime(file, (at, at))


def _say(line: str) -> None:
    print(f"  {line}", flush=True)


def main() -> int:
    """Run once; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m chaos.pause", description=__doc__)
    parser.add_argument("--seconds", type=float, default=30, help="of traffic before, in and after the pause (%(default)s)")
    parser.add_argument("--rate", type=float, default=60, help="events a second (%(default)s)")
    parser.add_argument("--store", choices=("redis", "sqlite"), help="online store; left out: redis where it is installed")
    parser.add_argument("--folder", type=Path, help="state of the run, kept; left out: a temporary folder, kept on a failure")
    parser.add_argument("--report", action="store_true", help="write a line of docs/operations/chaos.md")
    chosen = parser.parse_args()
    if "JISHI_CHAOS_CONTROL" not in os.environ:
        return _by_the_shims_clock()
    folder = (chosen.folder or Path(tempfile.mkdtemp(prefix="jishi-pause-"))).absolute()
    clock = Shim(Path(os.environ["LD_PRELOAD"]), Path(os.environ["JISHI_CHAOS_CONTROL"]), folder)
    stage = replace(make_stage(folder, PROJECT_ROOT / ".envs", chosen_store(chosen.store)), shim=None)
    feast_import.prepare()
    try:
        result = run(stage, clock, seconds=chosen.seconds, per_s=chosen.rate)
    except (PlatformError, NotSettled) as error:
        print(f"pause: {error}; the state of the run is in {folder}", file=sys.stderr)
        return 2
    write_json(folder / "run" / "chaos" / "result.json", result)
    print(json.dumps(result, indent=1))
    if chosen.report:
        note_run(PROJECT_ROOT / "docs", "a week's pause of the stream", note(result))
    if chosen.folder is None and result["is_fine"]:
        shutil.rmtree(folder)
    return 0 if result["is_fine"] else 1


def _by_the_shims_clock() -> int:
    """Become this program again, with all that it starts by the shim's clock."""
    work = Path(tempfile.mkdtemp(prefix="jishi-clock-"))
    try:
        shim = compiled_shim(work, work / "no-disk-fails")
    except ShimFailed as error:
        print(f"pause: {error}", file=sys.stderr)
        return 2
    if shim is None:
        print("pause: no C compiler is here (gcc or cc) to make the shim; install one", file=sys.stderr)
        return 2
    command = [sys.executable, "-m", "chaos.pause", *sys.argv[1:]]
    code = subprocess.run(command, env=os.environ | shim.environment, check=False).returncode
    shutil.rmtree(work)
    return code


if __name__ == "__main__":
    sys.exit(main())
