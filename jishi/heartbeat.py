"""Life signs of the parts that answer no HTTP: one small file a part, rewritten every two seconds."""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass
from typing import Any

from jishi.files import write_atomically
from jishi.paths import Paths

STALE_AFTER_S = 15.0


@dataclass(frozen=True)
class Heartbeat:
    """The last life sign of a part: its age in seconds and the facts in it."""

    age_s: float
    facts: dict[str, Any]

    @property
    def is_fresh(self) -> bool:
        """Whether the part was alive within the last ``STALE_AFTER_S`` seconds."""
        return self.age_s <= STALE_AFTER_S


def beat(paths: Paths, part: str, **facts: Any) -> None:
    """Say that ``part`` is alive; ``facts`` are counts and positions that ``jishi status`` shows."""
    write_atomically(paths.run / f"{part}.heartbeat", json.dumps({"at": time.time(), "pid": os.getpid(), **facts}))


def last_beat(paths: Paths, part: str) -> Heartbeat | None:
    """The last life sign, or None when there never was one."""
    file = paths.run / f"{part}.heartbeat"
    if not file.exists():
        return None
    facts = json.loads(file.read_text())
    return Heartbeat(age_s=time.time() - facts.pop("at"), facts=facts)
