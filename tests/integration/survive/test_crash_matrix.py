"""A kill before, in and after each write of a publish, under a reader: it sees the whole old state or the whole new one.

One point of each stage, drawn by a seed, by default, two publishes that meet another, and two that find the disk full. ``make
survive`` tries more: ``JISHI_CRASH_POINTS`` of each stage, evenly spread over its writes (``all``: every one, before it and in
it); a tenth as many of Spark's, each of which costs a JVM, of publishes that meet, and of full disks, of these at least two.
``JISHI_CRASH_REPORT`` gets a line of each stage and test.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import wait as wait_for
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from chaos.crash import KILLED, REFUSED, CrashPoint, CrashServer, How, crash_server
from jishi.files import append_line
from tests.integration.survive import spark_works, works
from tests.integration.survive.works import KilledStage

pytestmark = pytest.mark.integration
STAGES = (*works.STAGES, *spark_works.STAGES)
SEED = 7
POLL_EVERY_S = 0.05
LEFT_ALONE_S = 3.0  # so long a publish that meets one that is held may wait for its lock, before that one goes on
WANTED = os.environ.get("JISHI_CRASH_POINTS")


def of_stages(*names: str) -> pytest.MarkDecorator:
    """A test of these stages."""
    return pytest.mark.parametrize("stage", [stage for stage in STAGES if stage.name in names], ids=lambda stage: stage.name)


# Spark's upkeep needs a minute: it is left to ``make survive``.
ALL = [stage.name for stage in STAGES if WANTED is not None or stage.name != "upkeep"]


@dataclass
class PollingReader:
    """Reads a stage again and again; ``seen`` are the states that it met, with how often."""

    stage: KilledStage
    var: str
    seen: Counter[tuple[str, ...]] = field(default_factory=Counter)

    def poll(self, stop: threading.Event) -> None:
        while not stop.is_set():
            began = time.monotonic()
            self.seen[tuple(self.stage.read(self.var))] += 1
            stop.wait(max(0.0, POLL_EVERY_S - (time.monotonic() - began)))

    @contextmanager
    def beside(self) -> Iterator[None]:
        """Poll as long as the block lasts. Raises what a read raised."""
        stop = threading.Event()
        with ThreadPoolExecutor(1) as pool:
            polling = pool.submit(self.poll, stop)
            try:
                yield
            finally:
                stop.set()
        polling.result()

    def mixed(self, *numbers: int) -> list[tuple[str, ...]]:
        """States that are none of these whole."""
        whole = [{str(number)} for number in numbers]
        return [state for state in self.seen if set(state) not in whole]


@dataclass
class TriedStage:
    """What was done to one stage; ``kinds`` are its writes by call."""

    stage: str
    writes: int
    kinds: dict[str, int]
    points: int = 0
    killed: int = 0
    filled: int = 0
    met: int = 0
    refused: int = 0
    reads: int = 0


@dataclass
class Matrix:
    """One platform on which a stage is killed at one point after another; ``other`` does what is neither killed nor held."""

    stage: KilledStage
    var: str
    server: CrashServer
    other: CrashServer
    tried: TriedStage
    before: int

    def survives(self, number: int, point: CrashPoint) -> None:
        """Die at the point on the way from one state to another, look, and publish again."""
        stage, before, reader = self.stage, self.before, PollingReader(self.stage, self.var)
        assert self.server.run(f"prepare {stage.name}", self.var, number) == 0
        with reader.beside():
            code = self.server.run(f"work {stage.name}", self.var, number, point=point)
            left = set(stage.read(self.var))
            again = self.server.run(f"work {stage.name}", self.var, number)
        assert code in (KILLED, 0), f"{point}: exit {code}"
        assert left in ({str(before)}, {str(number)}), f"{point}: {left}"
        assert code == KILLED or left == {str(number)}, f"{point}: it ended well and readers have the old state"
        assert reader.mixed(before, number) == [], f"{point}: a reader met {reader.mixed(before, number)}"
        assert again == 0, f"{point}: it cannot be done again"
        assert set(stage.read(self.var)) == {str(number)}, f"{point}: done again it is another state"
        self.before = number
        self.tried.points += 1
        self.tried.killed += code == KILLED
        self.tried.reads += reader.seen.total()

    def outlasts_a_full_disk(self, number: int, at: int) -> None:
        """No room is left from a write on; with room again, publish again."""
        stage, before, reader = self.stage, self.before, PollingReader(self.stage, self.var)
        where = f"disk full from write {at} on"
        assert self.server.run(f"prepare {stage.name}", self.var, number) == 0
        with reader.beside():
            code = self.server.run(f"work {stage.name}", self.var, number, point=CrashPoint(at, "full"))
            left = set(stage.read(self.var))
            again = self.server.run(f"work {stage.name}", self.var, number)
        assert code in (0, 1), f"{where}: exit {code}"
        assert left in ({str(before)}, {str(number)}), f"{where}: {left}"
        assert code == 1 or left == {str(number)}, f"{where}: it ended well and readers have the old state"
        assert reader.mixed(before, number) == [], f"{where}: a reader met {reader.mixed(before, number)}"
        assert again == 0, f"{where}: with room it cannot be done again"
        assert set(stage.read(self.var)) == {str(number)}, f"{where}: done again it is another state"
        self.before = number
        self.tried.filled += 1
        self.tried.reads += reader.seen.total()

    def outlasts_a_wrong_clock(self, number: int, ahead_s: float, *, is_back: bool) -> None:
        """Publish while the clock is off. Only where it ``is_back`` behind an earlier publish may one be refused, by name."""
        self.server.set_clock(ahead_s)
        try:
            code = self.server.run(f"prepare {self.stage.name}", self.var, number)
            if code == 0:
                code = self.server.run(f"work {self.stage.name}", self.var, number)
        finally:
            self.server.set_clock(0)
        where = f"a clock {ahead_s / 3600:+g} hours off"
        assert code in ((0, REFUSED) if is_back else (0,)), f"{where}: exit {code}"
        self.before = number if code == 0 else self.before
        assert set(self.stage.read(self.var)) == {str(self.before)}, f"{where}: readers have another state"

    def meets_another(self, one: int, two: int, at: int) -> None:
        """Hold a run at a write while another run does all of the same work; then let both end."""
        stage, before, reader = self.stage, self.before, PollingReader(self.stage, self.var)
        where = f"a run held at write {at} beside a whole one"
        for number in (one, two):
            assert self.other.run(f"prepare {stage.name}", self.var, number) == 0
        with reader.beside(), ThreadPoolExecutor(2) as pool:
            held = pool.submit(self.server.run, f"work {stage.name}", self.var, one, point=CrashPoint(at, "held"))
            while self.server.writes < at and not held.done():
                time.sleep(0.01)
            whole = pool.submit(self.other.run, f"work {stage.name}", self.var, two)
            wait_for([whole], LEFT_ALONE_S)
            self.server.release()
            codes = [held.result(), whole.result()]
        assert set(codes) <= {0, REFUSED}, f"{where}: exits {codes}"
        assert 0 in codes, f"{where}: both gave way"
        assert reader.mixed(before, one, two) == [], f"{where}: a reader met {reader.mixed(before, one, two)}"
        left = set(stage.read(self.var))
        assert left in ({str(one)}, {str(two)}), f"{where}: {left}"
        self.before = int(left.pop())
        self.tried.met += 1
        self.tried.refused += codes.count(REFUSED)
        self.tried.reads += reader.seen.total()


def kind_of(write: str) -> str:
    return write.split(" ", 1)[0]


class Servers:
    """The servers of all stages, each started when it is first needed: one whose processes are killed, one beside it.

    Stages without a JVM share them.
    """

    def __init__(self, folder: Path, running: ExitStack) -> None:
        self.folder, self._running = folder, running
        self._of_python: tuple[CrashServer, CrashServer] | None = None

    def of(self, stage: KilledStage, var: Path) -> tuple[CrashServer, CrashServer]:
        if stage.is_spark:
            return self._start(
                var.parent.name, var / "lake", spark_works.__name__, is_group=True
            )  # Spark's scratch is no state
        self._of_python = self._of_python or self._start("python", self.folder / "shared", works.__name__)
        return self._of_python

    def _start(self, name: str, watched: Path, module: str, *, is_group: bool = False) -> tuple[CrashServer, CrashServer]:
        server, other = self.folder / name, self.folder / f"{name}-other"
        server.mkdir()
        other.mkdir()
        start = self._running.enter_context
        return (
            start(crash_server(server, watched, module, is_group=is_group)),
            start(crash_server(other, self.folder / "nowhere", module)),
        )


@pytest.fixture(scope="module")
def servers() -> Iterator[Servers]:
    """In memory where there is room: a kill loses nothing of a file, so syncs, most of the time, need no disk."""
    memory = Path("/dev/shm")
    has_room = memory.is_dir() and shutil.disk_usage(memory).free > 2**30
    with TemporaryDirectory(prefix="survive-", dir=memory if has_room else None) as folder, ExitStack() as running:
        yield Servers(Path(folder), running)


@pytest.fixture
def matrix(servers: Servers, stage: KilledStage, request: pytest.FixtureRequest) -> Iterator[Matrix]:
    """A platform on which the stage has published twice: its writes are counted in the second run."""
    var = servers.folder / "shared" / f"{stage.name}-{request.function.__name__}"[:40] / "var"
    var.parent.mkdir(parents=True)
    server, other = servers.of(stage, var)
    assert server.run(f"first {stage.name}", str(var), 0) == 0
    for number in (1, 2):
        assert server.run(f"prepare {stage.name}", str(var), number) == 0
        code, writes = server.traced(f"work {stage.name}", str(var), number)
        assert code == 0
        assert set(stage.read(str(var))) == {str(number)}
    assert len(writes) >= 4, "the shim counts nothing"
    yield Matrix(stage, str(var), server, other, TriedStage(stage.name, len(writes), dict(Counter(map(kind_of, writes)))), 2)
    if stage.is_spark:
        server.close()
        other.close()


def points(stage: KilledStage, writes: int) -> list[CrashPoint]:
    """Where to die: as many as wanted of all places before a write, in it, and after the last."""
    hows: tuple[How, How] = ("before", "torn")
    every = [CrashPoint(at, how) for at in range(1, writes + 1) for how in hows] + [CrashPoint(writes + 1)]
    if WANTED is None:
        return [random.Random(f"{SEED} {stage.name}").choice(every)]
    number = _wanted(stage, len(every))
    return [every[place * (len(every) - 1) // max(number - 1, 1)] for place in range(number)]


def _wanted(stage: KilledStage, most: int) -> int:
    if WANTED == "all" and not stage.is_spark:
        return most
    number = 400 if WANTED == "all" else int(WANTED or 1)
    return min(-(-number // 10) if stage.is_spark else number, most)


@of_stages(*ALL)
def test_a_kill_at_any_write_leaves_a_whole_state_and_a_rerun_makes_it_the_new_one(matrix: Matrix) -> None:
    numbers, stage, writes = count(3), matrix.stage, matrix.tried.writes
    chosen = points(stage, writes)
    for point in chosen:
        matrix.survives(next(numbers), point)
    assert matrix.tried.killed >= len(chosen) // 2, f"of {len(chosen)} points only {matrix.tried.killed} were reached"
    if WANTED is not None:
        for at in spread(stage, writes):
            matrix.meets_another(next(numbers), next(numbers), at)
    report(matrix.tried)


def spread(stage: KilledStage, writes: int) -> list[int]:
    """A tenth of the points, evenly over the writes, the first and the last not among them."""
    number = 1 if WANTED is None else -(-_wanted(stage, writes) // 10)
    return [max(part * writes // (1 + number), 1) for part in range(1, 1 + number)]


def report(tried: TriedStage) -> None:
    print(asdict(tried))
    if (file := os.environ.get("JISHI_CRASH_REPORT")) is not None:
        append_line(Path(file), json.dumps(asdict(tried)))


@of_stages("lake", "release")
def test_two_runs_at_once_do_no_harm(matrix: Matrix) -> None:
    matrix.meets_another(3, 4, matrix.tried.writes // 2)


@of_stages(*(ALL if WANTED is not None else ("lake", "release")))
def test_a_full_disk_leaves_the_old_state_whole(matrix: Matrix) -> None:
    chosen = spread(matrix.stage, matrix.tried.writes)
    if WANTED is not None:
        chosen = [*chosen, matrix.tried.writes - 1]  # all but the end of a publish is written
    for number, at in enumerate(chosen, start=3):
        matrix.outlasts_a_full_disk(number, at)
    report(matrix.tried)


@of_stages(*(ALL if WANTED is not None else ("decisions", "lake", "release")))
def test_a_clock_that_is_two_hours_off_changes_nothing(matrix: Matrix) -> None:
    """Neither does one that is right again, and so runs backwards: what was published last is what readers have. The lake takes
    nothing from a clock that is behind it, and goes on when that has caught up.
    """
    latest = 0.0
    for number, hours in enumerate((-2, 0, 2, 0, 2.1), start=3):
        matrix.outlasts_a_wrong_clock(number, 3600 * hours, is_back=hours < latest)
        latest = max(latest, hours)
