"""Releases of models: the pointer that names the one in use, and its loading with every check that the artefact allows."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from models.release.artefact import CorruptArtefact
from models.release.serving_index import Release


class ReleaseUnusable(RuntimeError):
    """A release that cannot be read or is not what its manifest says."""


@dataclass(frozen=True)
class Pointer:
    """Which release is published; ``published_at`` is epoch seconds."""

    version: str
    published_at: float


def read_pointer(models: Path, shop_id: str) -> Pointer | None:
    """The published release of a shop, or None when there is none."""
    file = models / shop_id / "CURRENT"
    try:
        version, published_at = file.read_text().strip(), file.stat().st_mtime
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
