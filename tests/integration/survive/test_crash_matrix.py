"""A kill before, in and after each write of a publish, under a reader: it sees the whole old state or the whole new one.

Ten points, drawn by a seed, by default. ``make survive`` tries more: ``JISHI_CRASH_POINTS`` of each stage, evenly spread over
its writes (``all``: every one, before it and in it), and writes ``docs/operations/survive.md``.
"""

from __future__ import annotations

import os
import random
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import pytest

from chaos.crash import CrashPoint, CrashServer, crash_server
from tests.integration.survive import works
from tests.integration.survive.works import STAGES, KilledStage

pytestmark = pytest.mark.integration
SEED, FEW = 7, {"lake": 3, "marts": 2, "release": 3, "features": 2}
POLL_EVERY_S = 0.05


@dataclass
class PollingReader:
    """Reads a stage again and again; ``seen`` are the states that it met, with how often."""

    stage: KilledStage
    var: str
    seen: dict[tuple[str, ...], int] = field(default_factory=dict)

    def poll(self, stop: threading.Event) -> None:
        while not stop.is_set():
            began = time.monotonic()
            state = tuple(self.stage.read(self.var))
            self.seen[state] = self.seen.get(state, 0) + 1
            stop.wait(max(0.0, POLL_EVERY_S - (time.monotonic() - began)))


@dataclass
class Matrix:
    """One platform on which a stage is killed at one point after another."""

    server: CrashServer
    var: str
    stage: KilledStage
    reads: int = 0
    killed: int = 0

    def published(self, number: int, point: CrashPoint | None = None) -> int:
        """Publish a state, perhaps dying at a point; returns the exit code."""
        assert self.server.run(f"prepare {self.stage.name}", self.var, number) == 0
        return self.server.run(f"work {self.stage.name}", self.var, number, point=point)

    def survives(self, before: int, number: int, point: CrashPoint) -> None:
        """Die at the point on the way from one state to another, look, and publish again."""
        assert self.server.run(f"prepare {self.stage.name}", self.var, number) == 0
        reader, stop = PollingReader(self.stage, self.var), threading.Event()
        with ThreadPoolExecutor(1) as pool:
            polling = pool.submit(reader.poll, stop)
            try:
                code = self.server.run(f"work {self.stage.name}", self.var, number, point=point)
                left = set(self.stage.read(self.var))
                again = self.server.run(f"work {self.stage.name}", self.var, number)
            finally:
                stop.set()
        assert polling.exception() is None, f"{point}: a reader failed: {polling.exception()!r}"
        assert code in (-9, 0), f"{point}: exit {code}"
        assert left in ({str(before)}, {str(number)}), f"{point}: {left}"
        assert code == -9 or left == {str(number)}, f"{point}: it ended well and readers have the old state"
        mixed = [state for state in reader.seen if set(state) not in ({str(before)}, {str(number)})]
        assert mixed == [], f"{point}: a reader met {mixed}"
        assert again == 0, f"{point}: it cannot be done again"
        assert set(self.stage.read(self.var)) == {str(number)}, f"{point}: done again it is another state"
        self.reads += sum(reader.seen.values())
        self.killed += code == -9


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[CrashServer, Path]]:
    folder = tmp_path_factory.mktemp("survive")
    (folder / "shared").mkdir()
    (folder / "shim").mkdir()
    with crash_server(folder / "shim", folder / "shared", works.__name__) as running:
        yield running, folder / "shared"


def points(stage: str, writes: int) -> list[CrashPoint]:
    """Where to die: as many as wanted of all places before a write, in it, and after the last."""
    every = [CrashPoint(at, is_torn) for at in range(1, writes + 1) for is_torn in (False, True)] + [CrashPoint(writes + 1)]
    wanted = os.environ.get("JISHI_CRASH_POINTS")
    if wanted is None:
        return sorted(random.Random(f"{SEED} {stage}").sample(every, FEW[stage]), key=str)
    number = len(every) if wanted == "all" else min(int(wanted), len(every))
    return [every[place * (len(every) - 1) // max(number - 1, 1)] for place in range(number)]


@pytest.mark.parametrize("stage", STAGES, ids=[stage.name for stage in STAGES])
def test_a_kill_at_any_write_leaves_a_whole_state_and_a_rerun_makes_it_the_new_one(
    server: tuple[CrashServer, Path], stage: KilledStage
) -> None:
    crashing, shared = server
    matrix, numbers = Matrix(crashing, str(shared / stage.name / "var"), stage), count(1)
    (shared / stage.name).mkdir()
    if stage.name in ("marts", "features"):
        works.publish_lake(matrix.var, 0)
    before = next(numbers)
    assert matrix.published(before) == 0
    before = next(numbers)
    assert matrix.published(before) == 0
    writes = crashing.writes
    assert writes >= 10, "the shim counts nothing"
    chosen = points(stage.name, writes)
    for point in chosen:
        number = next(numbers)
        matrix.survives(before, number, point)
        before = number
    assert matrix.killed >= len(chosen) // 2, f"of {len(chosen)} points only {matrix.killed} were reached"
    line = f"| {stage.name} | {writes} | {len(chosen)} | {matrix.killed} | {matrix.reads} |"
    print(line)
    if (report := os.environ.get("JISHI_CRASH_REPORT")) is not None:
        with Path(report).open("a") as file:
            file.write(line + "\n")
