"""The faults, and a seeded schedule of them.

A process is killed (SIGKILL; the supervisor starts it again) or stopped for a while (SIGSTOP, SIGCONT): it hangs and keeps its
connections, its files and its memory, which is harder to notice than a death. Flink's TaskManager and JobManager are one JVM in
the embedded mini-cluster (``flink_jvm``); ``flink`` is the driver that starts and watches it. An SQLite store is no process: it
is "stopped" by a foreign process that holds its write lock, and that is killed at the end of the fault. What is lost by power
or on a disk is in ``chaos.losses``; the broker is also away for longer than an event may be late.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from chaos import losses
from chaos.stage import Stage
from ops.supervisor import rpc, start_part

Kind = Literal[
    "kill", "stop", "away", "lose_tail", "damage", "publish", "disk_full", "disk_slow", "clock_ahead", "clock_behind"
]
PROCESSES = ("collector", "forwarder", "kafka", "flink_jvm", "flink", "feature_writer")
LONGEST_STOP_S = 30.0
BROKER_AWAY_S = 90.0  # three times as long as an event may be late
SYNC_DELAY_MS = 400
CLOCK_SKEW_MS = 2 * 3600 * 1000
LOSSES: tuple[tuple[Kind, str], ...] = (("lose_tail", "kafka"), ("damage", "wal"), ("publish", "lake"))
OF_MACHINE: tuple[Kind, ...] = ("disk_full", "disk_slow", "clock_ahead", "clock_behind")
_START_WAIT_S = 60.0
_LOSSES: Mapping[str, Callable[[Stage], str | None]] = {
    "lose_tail": losses.lose_tail_of_log,
    "damage": losses.damage_an_entry,
    "publish": losses.publish_at_once,
}
_HOLD_LOCK = """\
import sqlite3, sys, time
connection = sqlite3.connect(sys.argv[1], timeout=60)
connection.execute("BEGIN EXCLUSIVE")
print(flush=True)
time.sleep(600)
"""


@dataclass(frozen=True)
class Fault:
    """A fault of ``target`` that lasts ``lasts_s`` (0 for a kill), ``after_s`` the end of the one before."""

    kind: Kind
    target: str
    lasts_s: float
    after_s: float

    @property
    def name(self) -> str:
        """What people read."""
        return f"{self.kind.replace('_', ' ')}: {self.target}"


@dataclass(frozen=True)
class Happened:
    """A fault as it happened, in epoch seconds; ``skipped`` says why it did not."""

    fault: Fault
    began: float
    ended: float
    skipped: str | None = None


def schedule(store: str, seed: int, seconds: float) -> list[Fault]:
    """Faults for ``seconds``, pauses included: every kind on every target once, then again; order, lengths and pauses
    follow from the seed.
    """
    chance = random.Random(seed)
    faults: list[Fault] = []
    while seconds > 0:
        for fault in _round(store, chance):
            seconds -= fault.after_s + fault.lasts_s
            if seconds < 0:
                break
            faults.append(fault)
    return faults


def _round(store: str, chance: random.Random) -> list[Fault]:
    """Each kind of fault on each target once. One target, another each time, is stopped for the longest."""
    targets = (*PROCESSES, store)
    longest = chance.choice(targets)
    planned: list[tuple[Kind, str, float]] = [
        ("stop", target, LONGEST_STOP_S if target == longest else chance.uniform(5, LONGEST_STOP_S)) for target in targets
    ]
    # SQLite is no process that could be killed; its writer is.
    planned += [("kill", target, 0) for target in targets if target != "sqlite"]
    planned += [(kind, "collector", chance.uniform(8, 15)) for kind in OF_MACHINE]
    planned += [("away", "kafka", BROKER_AWAY_S), *((kind, target, 0.0) for kind, target in LOSSES)]
    chance.shuffle(planned)
    return [Fault(kind, target, round(lasts_s, 1), round(chance.uniform(1, 10), 1)) for kind, target, lasts_s in planned]


def named(text: str) -> Fault:
    """The fault of ``KIND:TARGET[:SECONDS]``, a second after the one before. Raises ValueError."""
    kind, _, rest = text.partition(":")
    target, _, lasts = rest.partition(":")
    kinds = {known: known for known in get_args(Kind)}
    if kind not in kinds or target not in (*PROCESSES, "redis", "sqlite", "wal", "lake"):
        raise ValueError(
            f"{text!r} is no fault; KIND is one of {', '.join(kinds)}, TARGET one of {', '.join(PROCESSES)}, the store"
        )
    return Fault(kinds[kind], target, float(lasts or 0), 1.0)


def happen(fault: Fault, stage: Stage) -> Happened:
    """Let the fault begin, wait until it is over, and tell when it was."""
    if fault.kind in OF_MACHINE:
        return _of_machine(fault, stage)
    if fault.kind in _LOSSES:
        began = time.time()
        skipped = _LOSSES[fault.kind](stage)
        return Happened(fault, began, time.time(), skipped)
    if fault.kind == "away":
        return _away(fault, stage)
    if fault.target == "sqlite":
        began = time.time()
        with _held_lock(stage.paths.features / "online.db"):
            time.sleep(fault.lasts_s)
        return Happened(fault, began, time.time())
    pid = _wait_for_pid(stage, fault.target)
    if pid is None:
        return Happened(fault, time.time(), time.time(), "the process was not up again")
    began = time.time()
    if fault.kind == "kill":
        _send(pid, signal.SIGKILL)
    else:
        _send(pid, signal.SIGSTOP)
        try:
            time.sleep(fault.lasts_s)
        finally:
            _send(pid, signal.SIGCONT)
    return Happened(fault, began, time.time())


def _of_machine(fault: Fault, stage: Stage) -> Happened:
    began = time.time()
    if stage.shim is None:
        return Happened(fault, began, began, "no C compiler is here (gcc or cc) to make the shim")
    try:
        stage.shim.set(
            is_full=fault.kind == "disk_full",
            sync_delay_ms=SYNC_DELAY_MS if fault.kind == "disk_slow" else 0,
            clock_skew_ms={"clock_ahead": CLOCK_SKEW_MS, "clock_behind": -CLOCK_SKEW_MS}.get(fault.kind, 0),
        )
        time.sleep(fault.lasts_s)
    finally:
        stage.shim.set()
    return Happened(fault, began, time.time())


def _away(fault: Fault, stage: Stage) -> Happened:
    began = time.time()
    rpc(stage.paths).stopProcess(fault.target, True)
    try:
        time.sleep(fault.lasts_s)
    finally:
        start_part(stage.paths, fault.target)
    return Happened(fault, began, time.time())


def _wait_for_pid(stage: Stage, target: str) -> int | None:
    deadline = time.monotonic() + _START_WAIT_S
    while time.monotonic() < deadline:
        pid = stage.pid(target)
        if pid is not None and _is_there(pid):
            return pid
        time.sleep(0.2)
    return None


def _is_there(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in ("Z", "X")


def _send(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return  # it ended by itself meanwhile; the fault did its work


@contextmanager
def _held_lock(database: Path) -> Iterator[None]:
    """Another process holds the write lock of an SQLite file and is killed at the end."""
    holder = subprocess.Popen([sys.executable, "-c", _HOLD_LOCK, str(database)], stdout=subprocess.PIPE)
    assert holder.stdout is not None
    try:
        holder.stdout.readline()
        yield
    finally:
        holder.kill()
        holder.wait()
        holder.stdout.close()
