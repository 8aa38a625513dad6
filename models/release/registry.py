"""The releases of a shop: written from a candidate, published by moving a pointer, the last few kept."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

from jishi.files import write_atomically, write_json
from jishi.paths import Paths
from models.algorithms.ladder import LADDER
from models.candidates import newcomers, repurchase
from models.candidates.recipes import Recipe
from models.candidates.stored_models import files_of
from models.release.artefact import MANIFEST, CorruptArtefact, read_manifest
from models.release.candidate import StepMissing, candidate_folder
from models.release.serving_index import RELEASE_FORMAT, Release

WINDOW = "window"  # the same release of the training window: what the next candidate is compared with
KEPT_RELEASES = 5


def current_version(models: Path, shop_id: str) -> str | None:
    """Name of the published release of a shop, or None."""
    pointer = models / shop_id / "CURRENT"
    return pointer.read_text().strip() or None if pointer.exists() else None


def write_release(full: Path, folder: Path, decision: dict[str, Any]) -> None:
    """Write a release from a candidate's full models: the ladder's, and those that the decision names for placements."""
    manifest = read_manifest(full)
    placements = decision["placements"]
    recipes = [Recipe.from_json(chosen["recipe"]) for chosen in placements.values() if chosen["recipe"] is not None]
    optional = (*newcomers.FILES, repurchase.FILE, repurchase.PURCHASES)
    states = [*LADDER, *files_of(recipes), *(file for file in optional if file in manifest["shapes"])]
    files = [*(f"{name}.npz" for name in states), "items.json", "persons.json"]
    folder.mkdir(parents=True)
    for file in files:
        shutil.copyfile(full / file, folder / file)
    kept = {"sha256": {file: manifest["sha256"][file] for file in files}}
    kept["shapes"] = {name: manifest["shapes"][name] for name in states}
    facts = {"placements": placements, "beats_popularity": decision["beats_popularity"]}
    write_json(folder / MANIFEST, manifest | kept | {"release_format": RELEASE_FORMAT, **facts})


def publish(paths: Paths, shop_id: str) -> str | None:
    """Publish the candidate's full models when the gate passed them; returns the release, or None after a refusal.

    The release is loaded and verified as serving would before the pointer moves. Its name is the candidate's, with a digest of
    its content where a release of that name has other content (the gate may decide anew on the same candidate).
    """
    folder = candidate_folder(paths, shop_id)
    if not (folder / "gate.json").exists():
        raise StepMissing(f"the gate has not seen the candidate of {shop_id!r}; run: python -m models gate --shop {shop_id}")
    decision = json.loads((folder / "gate.json").read_text())
    if not decision["is_released"]:
        return None
    releases = paths.models / shop_id / "releases"
    aside = releases / f".{folder.name}"
    shutil.rmtree(aside, ignore_errors=True)
    write_release(folder / "full", aside, decision)
    write_release(folder / "window", aside / WINDOW, decision)
    version, content = folder.name, read_manifest(aside)
    if _is_sound(paths, shop_id, version) and read_manifest(releases / version) != content:  # full and window belong together
        version += "-" + hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:8]
    if _is_sound(paths, shop_id, version):
        shutil.rmtree(aside)
    else:
        shutil.rmtree(releases / version, ignore_errors=True)
        aside.rename(releases / version)
    Release.load(paths.models, shop_id, version)
    write_atomically(paths.models / shop_id / "CURRENT", version + "\n")
    _drop_old(releases, keep=version)
    return version


def _is_sound(paths: Paths, shop_id: str, version: str) -> bool:
    """Whether the release is there and verifies; a damaged one is written again."""
    try:
        Release.load(paths.models, shop_id, version)
        Release.read(paths.models / shop_id / "releases" / version / WINDOW, shop_id, version)
    except CorruptArtefact:
        return False
    return True


def _drop_old(releases: Path, keep: str) -> None:
    others = sorted((p for p in releases.iterdir() if p.name != keep), key=lambda p: p.stat().st_mtime)
    for old in others[: max(0, len(others) - KEPT_RELEASES + 1)]:
        shutil.rmtree(old)
