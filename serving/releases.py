"""Releases of models: the pointer that names the one in use, and its loading with every check that the artefact allows."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from models.release.artefact import CorruptArtefact
from models.release.serving_index import Release
from models.release.switches import Switches

AHEAD = timedelta(days=1)  # acts of a release may lie so far in the future, for clocks that differ


class ReleaseUnusable(RuntimeError):
    """A release that cannot be read or is not what its manifest says."""


@contextmanager
def turn_to_switch(lock: Path) -> Iterator[bool]:
    """Whether this process may switch releases now: one worker at a time, so that the others have a processor meanwhile."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True


@dataclass(frozen=True)
class Pointer:
    """Which release is published; ``published_at`` is epoch seconds."""

    version: str
    published_at: float


def read_pointer(models: Path, shop_id: str) -> Pointer | None:
    """The published release of a shop, or None when there is none."""
    file = models / shop_id / "CURRENT"
    try:
        version, published_at = file.read_text(encoding="utf-8").strip(), file.stat().st_mtime
    except FileNotFoundError:
        return None
    return Pointer(version, published_at) if version else None


def load_release(models: Path, shop_id: str, version: str) -> Release:
    """A verified release. Raises ReleaseUnusable with the reason."""
    if Path(version).name != version:
        raise ReleaseUnusable(f"{version!r} is no name of a release")
    try:
        return Release.load(models, shop_id, version)
    except CorruptArtefact as error:
        raise ReleaseUnusable(str(error)) from error


def refuse_wrong_time(release: Release, models: Path, shop_id: str, in_use_to: datetime | None, now: datetime) -> None:
    """Raise ReleaseUnusable for a release that learnt from the future, or from older acts than the one in use (``in_use_to``)
    without anybody having gone back to it.
    """
    folder = models / shop_id / "releases" / release.version
    known = [] if release.newcomers is None else [datetime.fromtimestamp(release.newcomers.known_to_ms / 1000, UTC)]
    until = None if release.trained_to is None else release.trained_to.replace(tzinfo=UTC)
    for instant in [*known, *([] if until is None else [until])]:
        if instant > now + AHEAD:
            raise ReleaseUnusable(f"{folder}: its acts end at {instant:%Y-%m-%d %H:%M} UTC, which is in the future")
    newest = Switches.read(models, shop_id).newest
    is_older = until is not None and in_use_to is not None and until < in_use_to.replace(tzinfo=UTC)
    if is_older and (newest is None or newest.version != release.version):
        raise ReleaseUnusable(
            f"{folder}: its acts end at {until:%Y-%m-%d %H:%M} UTC, before those of the release in use; "
            f"to go back: jishi models rollback {shop_id} {release.version}"
        )
