"""Numbers of the forms in which a platform's state lies on disk: those of this code, and what a state says of itself.

``var/formats.json`` has them in ``formats``; ``upgrade`` names the newest upgrade, ``is_whole`` says whether it has ended;
``doing`` is a change of form, forward or back, that was begun and not ended, ``done`` those that upgrades made, oldest first. A
release and a backup name their own format in their manifest.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from jishi.files import write_json
from jishi.lake.migration import is_in_folders
from jishi.paths import Paths
from jishi.settings import Settings

# A number grows when older code could not read what newer code writes, or newer code not what older code wrote. A new column of
# a table, a new field with a default and a new table of the portal change none.
FORMATS = {
    "event log": 1,  # records in the write-ahead log and in Kafka (jishi.contract.record)
    "lake": 2,  # 1: bronze in folders with a pointer; 2: Iceberg tables under recorded versions
    "online store": 1,  # feature_repo.online_store, redis_store, postgres_store
    "portal": 1,  # dashboard.portal.database
    "registry": 1,  # jishi.shops
    "serving's logs": 1,  # serving.decisions, jishi.features.served
}


class WrongFormat(RuntimeError):
    """The state on disk is of another form than this code's; the message names the part, both numbers and what to do."""


@dataclass(frozen=True)
class FormatChange:
    """A part's state came to format ``to``, of one less, in the upgrade of that name; ``version`` was the lake's newest."""

    part: str
    to: int
    upgrade: str
    version: int


@dataclass
class Noted:
    """The file."""

    formats: dict[str, int]
    doing: FormatChange | None = None
    done: list[FormatChange] = field(default_factory=list)
    upgrade: str = ""
    is_whole: bool = True

    @classmethod
    def of(cls, settings: Settings) -> Noted:
        """What a state says of itself; one of before formats were numbered is looked at."""
        try:
            content = json.loads(_file(settings).read_text(encoding="utf-8"))
        except FileNotFoundError:
            return cls(FORMATS | {"lake": 1 if is_in_folders(settings) else FORMATS["lake"]})
        doing = content["doing"]
        done = [_change(each) for each in content["done"]]
        change = _change(doing) if doing else None
        return cls(content["formats"], change, done, content["upgrade"], content["is_whole"])

    def write(self, settings: Settings) -> None:
        """Keep it, in one step."""
        write_json(_file(settings), asdict(self))

    def refuse_newer(self) -> None:
        """Raise WrongFormat when newer code has written a part's state."""
        newer = {part: number for part, number in self.formats.items() if number > FORMATS.get(part, 0)}
        if newer:
            parts = ", ".join(
                f"{part} {number} (this code: {FORMATS.get(part, 'none')})" for part, number in sorted(newer.items())
            )
            raise WrongFormat(f"the state was written by newer code: {parts}; check out that code, or a newer one")


def require_current(settings: Settings) -> None:
    """Let a platform start: note the formats of a new state. Raises WrongFormat when they are not those of this code."""
    noted = Noted.of(settings)
    noted.refuse_newer()
    older = {part: number for part, number in noted.formats.items() if number < FORMATS[part]}
    if older or noted.doing:
        parts = ", ".join(f"{part} {number} (this code: {FORMATS[part]})" for part, number in older.items())
        raise WrongFormat(f"the state is that of older code: {parts or 'an upgrade was cut off'}; run: jishi upgrade")
    if not _file(settings).exists() or noted.formats != FORMATS:
        noted.formats = dict(FORMATS)
        noted.write(settings)


def _change(written: dict[str, Any]) -> FormatChange:
    """What newer code says besides is passed over: the numbers say whether this code may go on."""
    return FormatChange(**{each.name: written[each.name] for each in fields(FormatChange)})


def _file(settings: Settings) -> Path:
    return Paths.of(settings).formats
