"""The versions of a shop's rules, ``<version>.json`` each, written once: the newest is in use, and going back writes one more.

A reader sees a whole version or none. One that cannot be read leaves the newest that can.
"""

from __future__ import annotations

import fcntl
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from jishi.files import fsync_folder, write_json
from jishi.paths import Paths
from jishi.rules.complaints import BadRules, rules_of
from jishi.rules.rule_set import RuleSet

_NAME = re.compile(r"([0-9]{6})\.json")


class RulesUnreadable(ValueError):
    """A version whose file is not what was written."""


class NoSuchVersion(LookupError):
    """A version that was never published."""


class RulesChanged(RuntimeError):
    """Somebody has published since the rules were read that a change goes out from."""


class VersionFacts(BaseModel):
    """What is known of a version beside its rules. ``restores``: the version whose rules it brings back."""

    model_config = ConfigDict(frozen=True)

    shop_id: str
    version: int
    published_at: AwareDatetime
    published_by: str
    note: str = ""
    restores: int | None = None


@dataclass(frozen=True)
class RuleVersion:
    """A version with its rules."""

    facts: VersionFacts
    rules: RuleSet


class RuleVersions:
    """The versions of one shop."""

    def __init__(self, folder: Path, shop_id: str) -> None:
        self._folder = folder / shop_id
        self._shop_id = shop_id

    @classmethod
    def of(cls, paths: Paths, shop_id: str) -> RuleVersions:
        """Those of a registered shop."""
        return cls(paths.rules, shop_id)

    def numbers(self) -> list[int]:
        """Every version, newest first."""
        try:
            names = [_NAME.fullmatch(file.name) for file in self._folder.iterdir()]
        except (FileNotFoundError, NotADirectoryError):
            return []
        return sorted((int(name[1]) for name in names if name), reverse=True)

    def read(self, number: int) -> RuleVersion:
        """One version. Raises NoSuchVersion, RulesUnreadable."""
        file = self._file(number)
        try:
            value = json.loads(file.read_bytes())
            facts = VersionFacts.model_validate(value["facts"])
            if (facts.shop_id, facts.version) != (self._shop_id, number):
                raise RulesUnreadable(f"{file}: is version {facts.version} of shop {facts.shop_id!r}")
            return RuleVersion(facts, rules_of({"rules": value["rules"]}))
        except FileNotFoundError:
            known = ", ".join(map(str, self.numbers()[:10])) or "none"
            raise NoSuchVersion(f"there is no version {number} of the rules of {self._shop_id!r}; newest: {known}") from None
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
            if isinstance(error, RulesUnreadable):
                raise
            reason = str(error) if isinstance(error, BadRules | ValidationError) else f"{type(error).__name__}: {error}"
            raise RulesUnreadable(f"{file}: {reason}") from None

    def in_use(self) -> tuple[RuleVersion | None, str | None]:
        """The newest version that can be read, and why a newer one cannot."""
        problem = None
        for number in self.numbers():
            try:
                return self.read(number), problem
            except RulesUnreadable as error:
                problem = problem or str(error)
        return None, problem

    def publish(
        self, rules: RuleSet, by: str, now: datetime, *, note: str = "", after: int | None = None, restores: int | None = None
    ) -> RuleVersion:
        """Make these the rules in use. ``after`` is the version that they were made from (0 for none), None for any.

        Raises RulesChanged when another has been published since.
        """
        with self._alone():
            newest = next(iter(self.numbers()), 0)
            if after is not None and after != newest:
                raise RulesChanged(
                    f"version {newest} was published after version {after}, which this was made from; look again"
                )
            facts = VersionFacts(
                shop_id=self._shop_id, version=newest + 1, published_at=now, published_by=by, note=note, restores=restores
            )
            write_json(self._file(facts.version), {"facts": facts.model_dump(mode="json"), "rules": rules.stated()})
            fsync_folder(self._folder)
            return RuleVersion(facts, rules)

    def roll_back(self, number: int, by: str, now: datetime) -> RuleVersion:
        """Publish the rules of an older version again. Raises NoSuchVersion, RulesUnreadable."""
        return self.publish(self.read(number).rules, by, now, restores=number)

    def seen(self) -> tuple[int, int, int] | None:
        """Another value whenever another version may be in use: number, time of writing and size of the newest."""
        number = next(iter(self.numbers()), None)
        if number is None:
            return None
        try:
            stat = self._file(number).stat()
        except OSError:
            return (number, 0, 0)
        return (number, stat.st_mtime_ns, stat.st_size)

    def _file(self, number: int) -> Path:
        return self._folder / f"{number:06d}.json"

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """A second writer waits."""
        self._folder.mkdir(parents=True, exist_ok=True)
        with (self._folder / ".lock").open("ab") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            yield
