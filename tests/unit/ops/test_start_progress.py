"""A start is awaited as long as it goes on, on a machine of any speed, and given up where nothing moves."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from jishi.paths import Paths
from jishi.settings import Settings
from ops import lifecycle
from ops.health import PartHealth
from ops.parts import Part
from ops.start_progress import worked_s
from tests.lake import settings_in

HEALTHY_S = 2_000


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """Waits for a part, given the processor time that it has had after so many seconds; returns what was reported."""
    settings: Settings = settings_in(tmp_path)
    now = SimpleNamespace(s=0.0, healthy_s=0.0)

    def sleep(seconds: float) -> None:
        now.s += max(seconds, 5.0)

    def health(parts: list[Part], *_: object) -> list[PartHealth]:
        return [PartHealth(part.name, "RUNNING", now.s >= now.healthy_s, "no life sign yet", "") for part in parts]

    def wait(worked: Callable[[float], float], healthy_s: float = HEALTHY_S) -> list[str]:
        now.healthy_s = healthy_s
        messages: list[str] = []
        monkeypatch.setattr(lifecycle, "time", SimpleNamespace(monotonic=lambda: now.s, sleep=sleep))
        monkeypatch.setattr(lifecycle, "platform_health", health)
        monkeypatch.setattr(lifecycle, "states", lambda _: {"flink": {"pid": 7}, "kafka": {"pid": 8}})
        monkeypatch.setattr(lifecycle, "worked_s", lambda pids: worked(now.s) if list(pids) == [7] else 1e9)
        part = Part("flink", ["true"])
        lifecycle._wait_until_healthy([part], settings, Paths.of(settings), [], 0.0, messages.append)
        return messages

    return wait


def test_a_part_that_works_is_awaited(start: Any) -> None:
    messages = start(lambda now_s: now_s / 10)
    assert messages[-1] == "flink healthy after 2000 s"
    assert any(line.startswith("waiting for flink, 4") and line.endswith(" s") for line in messages)
    assert any(line.endswith("; as long as they work, at most 3,600 s") for line in messages)


def test_a_part_that_began_anew_and_works_is_awaited(start: Any) -> None:
    assert start(lambda now_s: now_s % 700)[-1] == "flink healthy after 2000 s"


@pytest.mark.parametrize(
    ("stops_s", "healthy_s", "given_up_s"),
    [(0, HEALTHY_S, (900, 960)), (800, HEALTHY_S, (1_100, 1_160)), (9_999, 9_999, (3_600, 3_660))],
    ids=["that stands still", "that stops to work", "that works for ever"],
)
def test_a_part_is_given_up(start: Any, stops_s: float, healthy_s: float, given_up_s: tuple[float, float]) -> None:
    with pytest.raises(lifecycle.PlatformError) as given_up:
        start(lambda now_s: min(now_s, stops_s) / 2 + now_s / 1000, healthy_s)
    message = re.match(
        r"not healthy after ([\d,]+) s, the last ([\d,]+) s without progress: flink: no life sign", str(given_up.value)
    )
    assert message
    lasted_s, still_s = (float(number.replace(",", "")) for number in message.groups())
    assert given_up_s[0] < lasted_s < given_up_s[1]
    assert (still_s >= 300) == (stops_s < lasted_s)


def test_processor_time_is_of_a_process_and_its_children() -> None:
    assert worked_s([os.getpid()]) > 0
    assert worked_s([2**22 + 1]) == 0
