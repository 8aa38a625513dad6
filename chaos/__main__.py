"""``make chaos``: break a platform of its own for some minutes, and prove that nothing acknowledged was lost.

Exit code 0 when every check holds, 1 when one does not (the ids are named), 2 when the run itself failed.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

from chaos.check import CheckResult
from chaos.evidence import LogUnreadable
from chaos.faults import Fault, named, schedule
from chaos.settle import NotSettled
from chaos.shim import ShimFailed
from chaos.stage import chosen_store, make_stage
from jishi import feast_import
from jishi.java import JavaMissing
from jishi.landing import LandingError
from jishi.settings import PROJECT_ROOT
from ops.lifecycle import PlatformError
from ops.state import NotOurState
from ops.supervisor import SupervisorError


def main(arguments: list[str] | None = None) -> int:
    """Run once; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m chaos", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seconds", type=float, default=430, help="of faults, with the pauses between them (%(default)s)")
    parser.add_argument("--seed", type=int, default=7, help="of faults and traffic (%(default)s)")
    parser.add_argument(
        "--fault",
        type=_fault,
        action="append",
        metavar="KIND:TARGET[:SECONDS]",
        help="this one instead of the schedule; may repeat",
    )
    parser.add_argument("--rate", type=float, default=60, help="events a second (%(default)s)")
    parser.add_argument("--store", choices=("redis", "sqlite"), help="online store; left out: redis where it is installed")
    parser.add_argument("--folder", type=Path, help="state of the run, kept; left out: a temporary folder, kept on a failure")
    parser.add_argument(
        "--report",
        action="store_true",
        help="write docs/operations/chaos.md and its picture; of chosen faults a line of the page",
    )
    chosen = parser.parse_args(arguments)
    folder = (chosen.folder or Path(tempfile.mkdtemp(prefix="jishi-chaos-"))).absolute()
    try:
        is_fine = _run(chosen, folder)
    except (
        *(PlatformError, SupervisorError, JavaMissing, NotOurState, ShimFailed, NotSettled, LogUnreadable, LandingError),
        FileNotFoundError,
    ) as error:
        print(f"chaos: {error}; the state of the run is in {folder}", file=sys.stderr)
        return 2
    if is_fine and chosen.folder is None:
        shutil.rmtree(folder)
    elif not is_fine:
        print(f"the state of the run is in {folder}")
    return 0 if is_fine else 1


def _run(chosen: argparse.Namespace, folder: Path) -> bool:
    store = chosen_store(chosen.store)
    stage = make_stage(folder, PROJECT_ROOT / ".envs", store)
    feast_import.prepare()
    from chaos.report import note_run, outage_note, write_report
    from chaos.run import run, write_result

    faults = chosen.fault or schedule(store, chosen.seed, chosen.seconds)
    print(f"{len(faults)} faults, seed {chosen.seed}, online store {store}, state in {folder}", flush=True)
    result = run(
        stage, faults, seed=chosen.seed, events_per_s=chosen.rate, progress=lambda line: print(f"  {line}", flush=True)
    )
    payload = write_result(result, folder / "run" / "chaos" / "result.json", _command(chosen))
    for finding in result.proof.findings:
        _show(finding)
    print(
        f"outcomes: {payload['outcomes']}; copies by the forwarder: {payload['copies']}; "
        f"values compared by view: {payload['by_view']}"
    )
    if chosen.report and chosen.fault:
        note_run(PROJECT_ROOT / "docs", ", ".join(fault.name for fault in faults), outage_note(payload))
    elif chosen.report:
        write_report(payload, PROJECT_ROOT / "docs")
    return result.proof.is_fine


def _command(chosen: argparse.Namespace) -> str:
    faults = "".join(f" --fault {fault.kind}:{fault.target}:{fault.lasts_s:g}" for fault in chosen.fault or [])
    store = f" --store {chosen.store}" if chosen.store else ""
    return f'make chaos ARGS="--seed {chosen.seed} --seconds {chosen.seconds:g} --rate {chosen.rate:g}{store}{faults}"'


def _fault(text: str) -> Fault:
    try:
        return named(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _show(finding: CheckResult) -> None:
    mark = "✓" if finding.is_fine else "✗"
    print(f"{mark} {finding.what}: {finding.cases:,}" + ("" if finding.is_fine else f"; wrong: {finding.description()}"))


if __name__ == "__main__":
    sys.exit(main())
