"""The release that is in use, as the next candidate finds it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from models.release.artefact import MANIFEST, CorruptArtefact, read_manifest
from models.release.registry import WINDOW, current_version


@dataclass(frozen=True)
class Champion:
    """The release in use: the model of each placement, the instant of its newest act, and why its models of the training window
    cannot be judged (``problem``), None where they can.
    """

    version: str
    models: Mapping[str, str]
    trained_to: datetime | None
    problem: str | None


def models_in_use(models: Path, shop_id: str) -> dict[str, str]:
    """Name of the model of each placement in the release in use; none where it names none or cannot be read."""
    version = current_version(models, shop_id)
    if version is None:
        return {}
    try:
        manifest = read_manifest(models / shop_id / "releases" / version)
    except CorruptArtefact:
        return {}
    return {placement: str(chosen["model"]) for placement, chosen in manifest.get("placements", {}).items()}


def find_champion(models: Path, shop_id: str, candidate: str, cut: datetime) -> Champion | None:
    """The release in use; None where there is none, or where it is this candidate's, file for file. Acts after ``cut`` are to
    be judged.
    """
    version = current_version(models, shop_id)
    if version is None:
        return None
    folder = models / shop_id / "releases" / version
    try:
        manifest = read_manifest(folder)
    except CorruptArtefact as error:
        return Champion(version, {}, None, f"it cannot be read ({error})")
    if manifest.get("candidate") == candidate and _is_made_of(folder, models / shop_id / "candidates" / candidate):
        return None
    trained_to = manifest.get("trained_on", {}).get("to")
    champion = Champion(version, models_in_use(models, shop_id), trained_to and datetime.fromisoformat(trained_to), None)
    if not (folder / WINDOW).exists():
        return replace(champion, problem="it was published before releases kept their models of the training window")
    try:
        window = read_manifest(folder / WINDOW)
    except CorruptArtefact as error:
        return replace(champion, problem=str(error))
    if datetime.fromisoformat(window["trained_on"]["to"]) >= cut:
        return replace(champion, problem="its models of the training window learnt from days that are judged now")
    return champion


def _is_made_of(release: Path, candidate: Path) -> bool:
    """Whether each file of a release that a candidate has, too, is the same there; a release may add an index of its own."""
    for part, source in ((release, "full"), (release / WINDOW, "window")):
        if (part / MANIFEST).exists():
            there = read_manifest(candidate / source)["sha256"]
            if any(there.get(file, digest) != digest for file, digest in read_manifest(part)["sha256"].items()):
                return False
    return True
