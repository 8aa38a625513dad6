"""The schedule follows from its seed; the shim's faults come, go and stay in their folder."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from chaos.faults import LONGEST_STOP_S, LOSSES, OF_MACHINE, PROCESSES, schedule
from chaos.shim import Shim, compiled_shim
from jishi.settings import Settings

_ASK = """\
import os, sys, time
descriptor = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT | os.O_APPEND)
told = []
for _ in range(2):
    try:
        told.append(os.write(descriptor, b"0123456789"))
    except OSError as error:
        told.append(error.errno)
began = time.monotonic()
os.fsync(descriptor)
print(*told, time.monotonic() - began >= 0.2, round(time.time()))
"""


@pytest.mark.parametrize("store", ["redis", "sqlite"])
def test_a_round_has_every_fault(store: str) -> None:
    faults = schedule(store, seed=7, seconds=460)
    names = {(fault.kind, fault.target) for fault in faults}
    assert {("kill", name) for name in PROCESSES} | {("stop", name) for name in (*PROCESSES, store)} <= names
    assert {(kind, "collector") for kind in OF_MACHINE} <= names
    assert ("kill", "redis") in names or store == "sqlite"
    assert {*LOSSES, ("away", "kafka")} <= names
    assert max(fault.lasts_s for fault in faults if fault.kind == "away") == 90 > Settings().allowed_lateness_s
    assert any(fault.lasts_s == LONGEST_STOP_S for fault in faults)


def test_the_schedule_follows_from_its_seed_and_fits_into_its_time() -> None:
    assert schedule("redis", 3, 200) == schedule("redis", 3, 200)
    assert schedule("redis", 3, 200) != schedule("redis", 4, 200)
    assert sum(fault.after_s + fault.lasts_s for fault in schedule("redis", 3, 200)) <= 200


@pytest.fixture
def shim(tmp_path: Path) -> Shim:
    folder = tmp_path / "disk"
    folder.mkdir()
    built = compiled_shim(tmp_path / "work", folder)
    if built is None:
        pytest.skip("no C compiler is here (Debian: apt-get install gcc)")
    return built


def ask(shim: Shim, file: Path) -> tuple[list[int], bool, int]:
    command = [sys.executable, "-c", _ASK, str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=os.environ | shim.environment)
    first, second, is_slow, now = done.stdout.split()
    return [int(first), int(second)], is_slow == "True", int(now)


def test_without_a_fault_the_shim_changes_nothing(shim: Shim) -> None:
    written, is_slow, _ = ask(shim, shim.folder / "a")
    assert (written, is_slow) == ([10, 10], False)


def test_a_full_disk_takes_half_and_then_nothing_in_its_folder_only(shim: Shim, tmp_path: Path) -> None:
    shim.set(is_full=True)
    assert ask(shim, shim.folder / "a")[0] == [5, 28]
    assert (shim.folder / "a").read_bytes() == b"01234"
    assert ask(shim, tmp_path / "disk-of-others")[0] == [10, 10]
    shim.set()
    assert ask(shim, shim.folder / "a")[0] == [10, 10]


def test_a_slow_disk_and_a_wrong_clock(shim: Shim) -> None:
    _, _, now = ask(shim, shim.folder / "a")
    shim.set(sync_delay_ms=200, clock_skew_ms=-1_000_000_000)
    _, is_slow, skewed = ask(shim, shim.folder / "a")
    assert is_slow
    assert abs(skewed + 1_000_000 - now) < 1_000
