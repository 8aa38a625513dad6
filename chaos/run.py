"""One run: start, traffic and faults, settle, check; what happened goes to ``result.json``."""

from __future__ import annotations

import platform
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil

from chaos.faults import Fault, Happened, happen
from chaos.ledger import Account, SentLedger
from chaos.probe import Probe, Probed
from chaos.prove import ChaosProof, prove
from chaos.settle import settle
from chaos.stage import Stage
from chaos.traffic import Traffic
from feature_repo.store import open_store
from jishi.files import write_json
from jishi.outcomes import Outcome

ReportProgress = Callable[[str], None]
WARM_UP_S = 5.0
QUIET_END_S = 5.0
SETTLE_S = 240.0


@dataclass(frozen=True)
class ChaosRun:
    """What happened; times are epoch seconds."""

    began: float
    ended: float
    store: str
    seed: int
    happened: list[Happened]
    probed: list[Probed]
    account: Account
    proof: ChaosProof


def run(stage: Stage, faults: list[Fault], *, seed: int, events_per_s: float, progress: ReportProgress) -> ChaosRun:
    """Run the faults on a platform that is not started yet; it is down afterwards, whatever happened.

    Raises ops.lifecycle.PlatformError, chaos.settle.NotSettled and what ``prove`` raises.
    """
    file = stage.paths.run / "chaos" / "ledger.jsonl"
    ledger = SentLedger(file)
    try:
        stage.up(progress)
        began = time.time()
        happened, probed = _break(stage, faults, ledger, seed, events_per_s, progress)
        progress("all faults are over; waiting for the rest to arrive")
        settle(stage, began=began, timeout_s=SETTLE_S)
        progress("checking")
        proof = prove(stage, file, stage.paths.run / "chaos" / "check")
        return ChaosRun(began, time.time(), stage.settings.online_store, seed, happened, probed, Account.of(file), proof)
    finally:
        ledger.close()
        stage.down()


def _break(
    stage: Stage, faults: list[Fault], ledger: SentLedger, seed: int, events_per_s: float, progress: ReportProgress
) -> tuple[list[Happened], list[Probed]]:
    traffic = Traffic(stage.url, stage.key, ledger, events_per_s=events_per_s, seed=seed)
    probe = Probe(stage.url, stage.key, ledger, lambda: open_store(stage.settings, stage.paths))
    traffic.start()
    probe.start()
    happened = []
    try:
        time.sleep(WARM_UP_S)
        for fault in faults:
            time.sleep(fault.after_s)
            happened.append(happen(fault, stage))
            last = happened[-1]
            progress(
                f"{fault.name} " + (f"skipped: {last.skipped}" if last.skipped else f"for {last.ended - last.began:.1f} s")
            )
        time.sleep(QUIET_END_S)
    finally:
        probe.stop()
        traffic.stop()
    return happened, probe.probed


def outage(happened: Happened, decided: Sequence[tuple[float, str, str]]) -> dict[str, Any]:
    """What became of the events that the collector took while a part was away: outcomes, and the ids of those that are late."""
    taken = [(event_id, outcome) for at, event_id, outcome in decided if happened.began <= at <= happened.ended]
    return {
        "target": happened.fault.target,
        "lasted_s": round(happened.ended - happened.began),
        "outcomes": dict(Counter(outcome for _, outcome in taken)),
        "late": [event_id for event_id, outcome in taken if outcome == Outcome.LATE],
    }


def write_result(result: ChaosRun, file: Path, command: str) -> dict[str, Any]:
    """Write what the report needs as JSON; returns it. ``command`` is how the run was asked for."""
    payload = {
        "command": command,
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "machine": f"{psutil.cpu_count()} cores, {psutil.virtual_memory().total / 2**30:.0f} GiB, {platform.system()}",
        "began": result.began,
        "ended": result.ended,
        "store": result.store,
        "seed": result.seed,
        "faults": [{**asdict(h), "name": h.fault.name} for h in result.happened],
        "probes": [asdict(probed) for probed in result.probed],
        "answers": result.account.answers,
        "meant": len(result.account.meant),
        "acknowledged": len(result.account.acknowledged),
        "findings": [asdict(finding) for finding in result.proof.findings],
        "outcomes": result.proof.outcomes,
        "copies": result.proof.copies,
        "by_view": result.proof.by_view,
        "outages": [outage(h, result.proof.decided) for h in result.happened if h.fault.kind == "away"],
    }
    write_json(file, payload)
    return payload
