"""Workers switch releases one after another; one that has no release, or has waited long, does not wait."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from serving.watcher import MOST_WAIT_S

HOLD = """
import sys
from pathlib import Path
from serving.releases import turn_to_switch
with turn_to_switch(Path(sys.argv[1])) as is_ours:
    print(is_ours, flush=True)
    sys.stdin.read()
"""


@contextmanager
def another_worker_switching(var: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that has its turn until it is killed."""
    command = [sys.executable, "-c", HOLD, str(var / "run" / "release-switch.lock")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "True\n"
        yield other
        other.kill()


def test_a_worker_waits_for_its_turn_and_then_switches(registry: Any) -> None:
    with another_worker_switching(registry.paths.var):
        registry.publish("a", "second", 1, seed=2)
        registry.look()
        assert (registry.in_use("a"), registry.problem("a")) == ("first", None)
    registry.look()
    assert registry.in_use("a") == "second"


def test_a_worker_that_hangs_keeps_nobody_from_a_release_for_ever(registry: Any) -> None:
    now = 0.0
    registry.engine.watcher.now = lambda: now
    with another_worker_switching(registry.paths.var):
        registry.publish("a", "second", 1, seed=2)
        registry.look()
        now = MOST_WAIT_S - 1
        registry.look()
        assert registry.in_use("a") == "first"
        now = MOST_WAIT_S + 1
        registry.look()
        assert registry.in_use("a") == "second"


def test_a_shop_without_a_release_gets_one_at_once(registry: Any) -> None:
    registry.engine.states.of("a").release.version = None
    with another_worker_switching(registry.paths.var):
        registry.look()
    assert registry.in_use("a") == "first"
