"""What is lost by power or on a disk, done to a running platform on purpose, and noted for the check (``Losses``).

- ``lose_tail_of_log``: the broker dies, and what it had not flushed was never on its disk. The stream may have read it: the
  check reads it from copies of the log as it was (``before_cut``).
- ``damage_an_entry``: one byte of an acknowledged entry that was not forwarded yet changes, and the collector starts on it.
- ``publish_at_once``: two publishers add rows to one table of the lake, each to what the other has just published.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import struct
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from chaos.stage import Stage
from collector.progress import load_position
from collector.wal.durable import read_durable
from collector.wal.reader import read_entries
from collector.wal.segments import segment_file
from jishi import topics
from jishi.files import append_line
from jishi.settings import PROJECT_ROOT

CUT_BYTES = 6_000
PUBLISHERS, ROWS_EACH = 2, 4
PUBLISHER_SHOP = "chaos-publisher"
_WAIT_S = 20.0


@dataclass(frozen=True)
class Losses:
    """What was done: entries that were damaged, by seq with their event ids, cuts of the log, and publishers' rows."""

    damaged: dict[int, str]
    cuts: int
    published: int

    @classmethod
    def of(cls, stage: Stage) -> Losses:
        """Read what was noted; nothing where nothing was done."""
        file = _notes(stage)
        notes = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
        return cls(
            damaged={note["seq"]: note["event_id"] for note in notes if "seq" in note},
            cuts=sum("cut" in note for note in notes),
            published=sum(note.get("published", 0) for note in notes),
        )


def lose_tail_of_log(stage: Stage) -> str | None:
    """Kill the broker and cut off what it had not flushed, before it is up again; says why it did not, if so.

    Only what lies behind the recovery point can be lost by power: what lies before it was synced, and the broker relies on it.
    """
    log, deadline = stage.paths.kafka / "log", time.monotonic() + _WAIT_S
    while (log / ".kafka_cleanshutdown").exists() or not any(_unflushed(log, p) for p in range(topics.EVENTS.partitions)):
        if time.monotonic() > deadline:
            return "the broker had nothing to lose"
        time.sleep(0.2)
    pid = stage.pid("kafka")
    if pid is None:
        return "the broker was not up"
    os.kill(pid, signal.SIGKILL)  # the supervisor starts it again, which takes a second and more
    cut, copies = 0, _copies(stage) / str(time.time_ns())
    for partition in range(topics.EVENTS.partitions):
        if (unflushed := _unflushed(log, partition)) is not None:
            file, begin, size = unflushed
            copy = copies / str(partition) / file.name
            copy.parent.mkdir(parents=True)
            shutil.copyfile(file, copy)
            kept = max(begin, size - CUT_BYTES)
            os.truncate(file, kept)
            cut += size - kept
    append_line(_notes(stage), json.dumps({"cut": cut}))
    return None


def before_cut(stage: Stage) -> list[dict[int, Path]]:
    """Of each cut in its turn, the newest segment of each cut partition as it was before."""
    folders = sorted(_copies(stage).glob("*"), key=lambda folder: int(folder.name))
    return [{int(file.parent.name): file for file in folder.glob("*/*.log")} for folder in folders]


def _copies(stage: Stage) -> Path:
    return _notes(stage).parent / "before_cut"


def _unflushed(log: Path, partition: int) -> tuple[Path, int, int] | None:
    """The newest segment of a partition, the byte at which what was never synced begins, and its size; None without any."""
    name = f"{topics.EVENTS.name}-{partition}"
    checkpoint = log / "recovery-point-offset-checkpoint"
    lines = checkpoint.read_text().splitlines()[2:] if checkpoint.exists() else []
    recovery_point = next((int(line.split()[2]) for line in lines if line.split()[:2] == name.rsplit("-", 1)), 0)
    files = sorted((log / name).glob("*.log"))
    if not files:
        return None
    data = files[-1].read_bytes()
    at = 0
    while at + 12 <= len(data):  # a batch: its first offset, the length of the rest, the rest
        offset, length = struct.unpack(">qi", data[at : at + 12])
        if offset >= recovery_point:
            return files[-1], at, len(data)
        at += 12 + length
    return None


def damage_an_entry(stage: Stage) -> str | None:
    """Change one byte of an acknowledged entry that waits for the forwarder, and let the collector start on it."""
    forwarder, folder = stage.pid("forwarder"), stage.paths.wal
    if forwarder is None:
        return "the forwarder was not up"
    os.kill(forwarder, signal.SIGSTOP)
    try:
        deadline = time.monotonic() + _WAIT_S
        while True:
            forwarded, durable = load_position(folder), read_durable(folder)
            entries = read_entries(folder, forwarded, durable, 2**26) if durable is not None else []
            waiting = [entry for entry in entries if entry.after.segment == (durable.segment if durable else -1)]
            good = [entry for entry in waiting[len(waiting) // 2 : -1] if b'"invalid_reason":null' in entry.body]
            if good:
                break
            if time.monotonic() > deadline:
                return "no acknowledged entry waited for the forwarder"
            time.sleep(0.2)
        victim = good[0]
        collector = stage.pid("collector")
        if collector is not None:
            os.kill(collector, signal.SIGKILL)
        record = json.loads(victim.body)
        append_line(_notes(stage), json.dumps({"seq": record["seq"], "event_id": record["event_id"]}))
        _flip(segment_file(folder, victim.after.segment), victim.after.offset - 10)
    finally:
        os.kill(forwarder, signal.SIGCONT)
    return None


def publish_at_once(stage: Stage) -> str | None:
    """Let two processes add rows to one table at once; none may be lost."""
    names = [f"{int(time.time())}-{number}" for number in range(PUBLISHERS)]
    command = [sys.executable, "-m", "chaos.publisher"]
    running = [subprocess.Popen([*command, name, str(ROWS_EACH)], cwd=PROJECT_ROOT) for name in names]
    failed = [process.wait() for process in running]
    append_line(_notes(stage), json.dumps({"published": PUBLISHERS * ROWS_EACH}))
    return "a publisher failed" if any(failed) else None


def _flip(file: Path, offset: int) -> None:
    descriptor = os.open(file, os.O_RDWR)
    try:
        [byte] = os.pread(descriptor, 1, offset)
        os.pwrite(descriptor, bytes([byte ^ 1]), offset)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _notes(stage: Stage) -> Path:
    return stage.paths.run / "chaos" / "losses.jsonl"
