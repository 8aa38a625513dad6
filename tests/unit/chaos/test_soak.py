"""What a soak calls growth: files between two upkeeps are none, files that no upkeep takes are."""

from __future__ import annotations

from typing import Any

import pytest

from chaos.soak import growth
from chaos.soak_run import PlatformSample, SoakRun

CYCLE = 24  # samples from one upkeep to the next


def samples(files_left: float, memory: float, count: int = 120) -> SoakRun:
    """A run whose lake gets ten files a sample; each upkeep leaves ``files_left`` more than the last one, and each sample
    finds ``memory`` MiB more.
    """
    run = SoakRun(0.0)
    for number in range(count):
        lake = int(500 + number // CYCLE * files_left + number % CYCLE * 10)
        files = {"lake": lake, "checkpoints": 50, "write-ahead log": 8, "marts": 3}
        run.samples.append(
            PlatformSample(number * 10.0, {"flink": 900 + number * memory}, files, number * 1.0, 20.0, 0, number * 400)
        )
    return run


def is_flat(run: SoakRun) -> dict[str, Any]:
    return {row["what"]: row["is_flat"] for row in growth(run)}


@pytest.mark.parametrize("count", [100, 110, 120, 127])
def test_files_of_an_hour_are_no_growth_wherever_the_run_ends(count: int) -> None:
    assert is_flat(samples(0, 0, count))["files of the lake"]


def test_files_that_no_upkeep_takes_are_growth() -> None:
    flat = is_flat(samples(240, 0))
    assert not flat["files of the lake"]
    assert flat["memory of flink (MiB)"]


def test_memory_that_grows_all_the_time_is_growth() -> None:
    flat = is_flat(samples(0, 8))
    assert not flat["memory of flink (MiB)"]
    assert flat["files of the lake"]
