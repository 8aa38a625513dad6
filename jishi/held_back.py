"""Shops whose newest build was refused by a gate, and what people have accepted: read by the portal, ``jishi gates`` and watch.

``Paths.gates`` holds ``held/<shop_id>.json``, which goes when a build of the shop passes, and ``accepted.jsonl``, a line for
each finding that a person has called true.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from jishi.files import append_line, write_json
from jishi.paths import Paths

MARTS = "marts"  # the ``table`` of what the tests of the marts find; every other one is of the lake


class GatesUnreadable(ValueError):
    """A file of the gates is not as written; names the file and the fix."""


@dataclass(frozen=True)
class GateFinding:
    """Why a table of one shop was refused.

    ``check`` names the gate, ``batch`` what was judged (None: the tables as a whole), ``sample`` some of the rows or numbers
    that show it, ``repair`` the command that mends it.
    """

    check: str
    table: str
    batch: str | None
    says: str
    sample: tuple[str, ...]
    repair: str

    def __str__(self) -> str:
        of_batch = f"{self.batch}, " if self.batch else ""
        sample = f", e.g. {'; '.join(self.sample)}" if self.sample else ""
        return f"{self.check}: {of_batch}{self.table}: {self.says}{sample}; repair: {self.repair}"


@dataclass(frozen=True)
class HeldBack:
    """A shop that keeps its older rows, since when (UTC) and why."""

    shop_id: str
    since: datetime
    findings: tuple[GateFinding, ...]


def hold(paths: Paths, shop_id: str, findings: Sequence[GateFinding], now: datetime) -> None:
    """Note that a build of the shop was refused at ``now`` (UTC); a shop that was held already is held since then.

    All ``findings`` are of its marts or none is; those of the other kind that it was held for stay.
    """
    before, of_marts = held_back(paths, shop_id), findings[0].table == MARTS
    since = before.since if before else now.astimezone(UTC)
    others = [finding for finding in before.findings if (finding.table == MARTS) != of_marts] if before else []
    _write(paths, HeldBack(shop_id, since, (*others, *findings)))


def release(paths: Paths, shop_id: str, *, of_marts: bool = False) -> None:
    """A build of the shop's silver, or of its marts, has passed; what the other one found stays."""
    held = held_back(paths, shop_id)
    others = [finding for finding in held.findings if (finding.table == MARTS) != of_marts] if held else []
    if held and others:
        _write(paths, replace(held, findings=tuple(others)))
    else:
        (_held(paths) / f"{shop_id}.json").unlink(missing_ok=True)


def held_back(paths: Paths, shop_id: str) -> HeldBack | None:
    """What holds a shop back; None when its newest build passed. Raises GatesUnreadable."""
    file = _held(paths) / f"{shop_id}.json"
    try:
        note = json.loads(file.read_text(encoding="utf-8"))
        findings = tuple(GateFinding(**finding | {"sample": tuple(finding["sample"])}) for finding in note["findings"])
        return HeldBack(shop_id, datetime.fromisoformat(note["since"]), findings)
    except FileNotFoundError:
        return None
    except (ValueError, TypeError, KeyError) as error:
        raise GatesUnreadable(f"{file}: {error}; delete the file and build silver of the shop again") from None


def all_held_back(paths: Paths) -> Iterator[HeldBack]:
    """Every shop that is held back, by shop id. Raises GatesUnreadable."""
    for file in sorted(_held(paths).glob("[!.]*.json")):
        if held := held_back(paths, file.stem):
            yield held


def accept(paths: Paths, shop_id: str, batch: str, check: str, reason: str, now: datetime) -> None:
    """A person says that what a check found in a batch is true: it refuses this batch no more."""
    note = {"shop_id": shop_id, "batch": batch, "check": check, "reason": reason, "at": now.astimezone(UTC).isoformat()}
    append_line(_accepted(paths), json.dumps(note, ensure_ascii=False))


def accepted(paths: Paths) -> set[tuple[str, str, str]]:
    """``(shop_id, batch, check)`` of all that was accepted. Raises GatesUnreadable."""
    file, marks = _accepted(paths), set()
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines() if file.exists() else (), start=1):
        try:
            note = json.loads(line)
            marks.add((str(note["shop_id"]), str(note["batch"]), str(note["check"])))
        except (ValueError, TypeError, KeyError) as error:
            raise GatesUnreadable(f"{file}, line {number}: {error}; mend the line or take it out") from None
    return marks


def _write(paths: Paths, held: HeldBack) -> None:
    note = {"since": held.since.isoformat(), "findings": [asdict(finding) for finding in held.findings]}
    write_json(_held(paths) / f"{held.shop_id}.json", note)


def _held(paths: Paths) -> Path:
    return paths.gates / "held"


def _accepted(paths: Paths) -> Path:
    return paths.gates / "accepted.jsonl"
