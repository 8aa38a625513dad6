"""Which release of a shop was put in use when, by whom and why: ``switches.jsonl`` beside ``CURRENT``, one line a switch.

A line is written before the pointer moves. From the lines follows what must not come back by itself: going back from a release
**withdraws** its candidate, until somebody names it again, and a switch that **holds** keeps every newer candidate out.
"""

from __future__ import annotations

import fcntl
import getpass
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from jishi.files import append_line, write_atomically

PUBLISHED, ROLLED_BACK, RESUMED = "published", "rolled back", "resumed"
KEPT_LINES = 1_000
_FILE = "switches.jsonl"


@dataclass(frozen=True)
class Switch:
    """One line. ``before`` was in use until then; ``withdrawn`` is the candidate that it was made from (itself, where both are
    of one candidate), if somebody went back from it; ``holds``: no candidate is published until somebody resumes.
    """

    at: datetime
    by: str
    action: str
    version: str
    candidate: str
    before: str | None = None
    withdrawn: str | None = None
    holds: bool = False
    note: str = ""

    def summary(self) -> str:
        """When, by whom and why."""
        return f"{self.at:%Y-%m-%d %H:%M} UTC by {self.by}" + (f": {self.note}" if self.note else "")


@dataclass(frozen=True)
class Switches:
    """The switches of one shop, oldest first."""

    lines: tuple[Switch, ...]

    @classmethod
    def read(cls, models: Path, shop_id: str) -> Switches:
        """Those that were written whole; none where no release was ever put in use."""
        try:
            text = (models / shop_id / _FILE).read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return cls(())
        return cls(tuple(switch for line in text.splitlines() if (switch := _parsed(line)) is not None))

    @property
    def newest(self) -> Switch | None:
        """The last one."""
        return self.lines[-1] if self.lines else None

    @property
    def hold(self) -> Switch | None:
        """The switch that keeps newer candidates out, if one does."""
        return self.newest if self.newest is not None and self.newest.holds else None

    def withdrawn(self) -> dict[str, Switch]:
        """Candidates that somebody went back from, each with the switch that did."""
        withdrawing: dict[str, Switch] = {}
        for switch in self.lines:
            for named in (switch.candidate, switch.version):
                withdrawing.pop(named, None)
            if switch.withdrawn is not None:
                withdrawing[switch.withdrawn] = switch
        return withdrawing

    def withdrawn_versions(self) -> dict[str, Switch]:
        """The releases of withdrawn candidates, each with the switch that withdrew it."""
        withdrawn = self.withdrawn()
        left = {switch.before: switch for switch in withdrawn.values() if switch.before is not None}
        return {each.version: withdrawn[each.candidate] for each in self.lines if each.candidate in withdrawn} | left

    def objection(self, candidate: str) -> str | None:
        """Why a candidate may not be published, as somebody decided; None where nobody did."""
        if (switch := self.withdrawn().get(candidate)) is not None:
            return f"candidate {candidate} was withdrawn on {switch.summary()}"
        if self.hold is not None:
            return f"release {self.hold.version} is held since {self.hold.summary()}; end that with: jishi models resume"
        return None

    def published_at(self, version: str) -> datetime | None:
        """When a release was published last."""
        return next((each.at for each in reversed(self.lines) if (each.action, each.version) == (PUBLISHED, version)), None)


def write_switch(models: Path, shop_id: str, switch: Switch) -> None:
    """Add a line; it is on the disk when this returns. Under ``one_at_a_time``, since old lines may go."""
    append_line(models / shop_id / _FILE, _line(switch))
    switches = Switches.read(models, shop_id).lines
    if len(switches) > 2 * KEPT_LINES:
        write_atomically(models / shop_id / _FILE, "".join(_line(each) + "\n" for each in _kept(switches)))


@contextmanager
def one_at_a_time(models: Path, shop_id: str) -> Iterator[None]:
    """Who would move a shop's pointer waits for whoever does."""
    (models / shop_id).mkdir(parents=True, exist_ok=True)
    with (models / shop_id / ".lock").open("ab") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield


def operator() -> str:
    """Who runs this process."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # an id without a name, as in containers
        return f"user {os.getuid()}"


def _line(switch: Switch) -> str:
    return json.dumps(asdict(switch) | {"at": switch.at.isoformat()}, ensure_ascii=False, sort_keys=True)


def _kept(switches: Sequence[Switch]) -> list[Switch]:
    """The newest, and of those before every one that tells of something that somebody went back from."""
    left = {switch.withdrawn for switch in switches} - {None}
    older, newer = switches[:-KEPT_LINES], switches[-KEPT_LINES:]
    return [*(each for each in older if each.withdrawn is not None or left & {each.candidate, each.version}), *newer]


def _parsed(line: str) -> Switch | None:
    try:
        fields: dict[str, Any] = json.loads(line)
        return Switch(**fields | {"at": datetime.fromisoformat(fields["at"])})
    except (ValueError, TypeError, KeyError):  # a crash left it without its end
        return None
