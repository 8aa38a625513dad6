"""Life signs of the parts that answer no HTTP: one small file a part, rewritten every two seconds.

They lie in a folder that all machines of a platform share, so that one of them can tell how all are.
"""

from __future__ import annotations

import json
import os
import socket
import time
from dataclasses import dataclass
from typing import Any

from jishi.files import write_atomically
from jishi.paths import Paths

STALE_AFTER_S = 15.0
TAKEN_AWAY_S = 3 * 86_400.0  # without a sign of life, and no supervisor lists the part (``ops.monitoring.objectives``)


@dataclass(frozen=True)
class Heartbeat:
    """The last life sign of a part: its age in seconds, the machine that it runs on, and the facts in it."""

    age_s: float
    host: str
    facts: dict[str, Any]

    @property
    def is_fresh(self) -> bool:
        """Whether the part was alive within the last ``STALE_AFTER_S`` seconds."""
        return self.age_s <= STALE_AFTER_S


def beat(paths: Paths, part: str, whose: str = "", **facts: Any) -> None:
    """Say that ``part`` is alive; ``facts`` are counts and positions that ``jishi status`` shows.

    Where each of several has work of its own, ``whose`` names it: the same after a restart on another machine.
    """
    sign = {"at": time.time(), "host": socket.gethostname(), "pid": os.getpid(), **facts}
    write_atomically(paths.beats / f"{part}{'@' if whose else ''}{whose}.heartbeat", json.dumps(sign))
    if whose:  # before there was any work it could not say whose
        (paths.beats / f"{part}.heartbeat").unlink(missing_ok=True)


def beats(paths: Paths, part: str) -> list[Heartbeat]:
    """The last life sign of each of ``part``, the newest first."""
    signs = []
    for file in (paths.beats / f"{part}.heartbeat", *sorted(paths.beats.glob(f"{part}@*.heartbeat"))):
        try:
            facts = json.loads(file.read_text(encoding="utf-8"))
        except FileNotFoundError:  # there is none, or it has just been taken away
            continue
        signs.append(Heartbeat(time.time() - facts.pop("at"), facts.pop("host"), facts))
    return sorted(signs, key=lambda sign: sign.age_s)


def last_beat(paths: Paths, part: str) -> Heartbeat | None:
    """The newest life sign, or None when there never was one."""
    return next(iter(beats(paths, part)), None)
