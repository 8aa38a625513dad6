"""The releases of a shop: written from a candidate, published by moving a pointer, the last few kept."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Collection
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from jishi.files import write_atomically, write_json
from jishi.paths import Paths
from jishi.shop_runs import NothingToDo
from models.algorithms.ladder import LADDER
from models.candidates import newcomers, repurchase, usual_prices
from models.candidates.recipes import Recipe
from models.candidates.stored_models import files_of
from models.release import taste_index
from models.release.artefact import MANIFEST, CorruptArtefact, find_ids, load_state, read_manifest
from models.release.candidate import StepMissing, candidate_folder
from models.release.serving_index import RELEASE_FORMAT, Release
from models.release.switches import PUBLISHED, Switch, Switches, one_at_a_time, operator, write_switch

WINDOW = "window"  # the same release of the training window: what the next candidate is compared with
KEPT_RELEASES = 5


def current_version(models: Path, shop_id: str) -> str | None:
    """Name of the published release of a shop, or None."""
    pointer = models / shop_id / "CURRENT"
    return pointer.read_text(encoding="utf-8").strip() or None if pointer.exists() else None


def write_release(full: Path, folder: Path, decision: dict[str, Any]) -> None:
    """Write a release from a candidate's full models: the ladder's, and those that the decision names for placements."""
    manifest = read_manifest(full)
    placements = decision["placements"]
    recipes = [Recipe.from_json(chosen["recipe"]) for chosen in placements.values() if chosen["recipe"] is not None]
    optional = (*newcomers.FILES, repurchase.FILE, repurchase.PURCHASES, usual_prices.FILE)
    states = [*LADDER, *files_of(recipes), *(file for file in optional if file in manifest["shapes"])]
    files = [
        *(f"{name}.npz" for name in states),
        *(find_ids(manifest, name) for name in ("items", "persons")),
    ]
    folder.mkdir(parents=True)
    for file in files:
        shutil.copyfile(full / file, folder / file)
    kept = {"sha256": {file: manifest["sha256"][file] for file in files}}
    if taste_index.FILE in manifest["sha256"]:
        shutil.copyfile(full / taste_index.FILE, folder / taste_index.FILE)
        kept["sha256"][taste_index.FILE] = manifest["sha256"][taste_index.FILE]
    else:
        factors = load_state(full, manifest, "als")["item_factors"].astype(np.float32, copy=False)
        kept["sha256"] |= taste_index.write(folder, factors)
    kept["shapes"] = {name: manifest["shapes"][name] for name in states}
    kept["canaries"] = {name: rows for name, rows in manifest.get("canaries", {}).items() if name in states}
    facts = {"placements": placements, "beats_popularity": decision["beats_popularity"]}
    facts |= {"exploring": decision["exploring"]} if "exploring" in decision else {}
    write_json(folder / MANIFEST, manifest | kept | {"release_format": RELEASE_FORMAT, **facts})


def publish(paths: Paths, shop_id: str, now: datetime | None = None) -> str | None:
    """Publish the candidate's full models when the gate passed them; returns the release, or None after a refusal.

    The release is loaded and verified as serving would before the pointer moves. Its name is the candidate's, with a digest of
    its content where a release of that name has other content (the gate may decide anew on the same candidate). Raises
    NothingToDo for a candidate that was withdrawn, and while a release is held.
    """
    folder = candidate_folder(paths, shop_id)
    if not (folder / "gate.json").exists():
        raise StepMissing(f"the gate has not seen the candidate of {shop_id!r}; run: python -m models gate --shop {shop_id}")
    decision = json.loads((folder / "gate.json").read_text(encoding="utf-8"))
    if not decision["is_released"]:
        return None
    with one_at_a_time(paths.models, shop_id):
        switches = Switches.read(paths.models, shop_id)
        objection = switches.objection(folder.name)
        if objection is not None:
            raise NothingToDo(f"{objection}; release {current_version(paths.models, shop_id)} stays")
        before = current_version(paths.models, shop_id)
        version = _written(paths, shop_id, folder, decision)
        if version in switches.withdrawn_versions():  # the gate decided twice on one candidate, and this is what was left
            raise NothingToDo(f"release {version} was withdrawn on {switches.withdrawn_versions()[version].summary()}")
        switch_to(paths.models, shop_id, version, PUBLISHED, operator(), now or datetime.now(UTC))
        _drop_old(paths.models / shop_id / "releases", {version, before}, switches.withdrawn_versions())
    return version


def _written(paths: Paths, shop_id: str, folder: Path, decision: dict[str, Any]) -> str:
    """Write the release of a candidate, if it does not lie there; returns its verified name."""
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
    return version


def switch_to(models: Path, shop_id: str, version: str, action: str, by: str, now: datetime, **more: Any) -> Switch | None:
    """Write down the switch to a release, then move the pointer; nothing is written where the last line says the same.

    The caller holds ``one_at_a_time``.
    """
    before, newest = current_version(models, shop_id), Switches.read(models, shop_id).newest
    switch = None
    if before != version or newest is None or newest.version != version:
        switch = Switch(now, by, action, version, candidate_of(models, shop_id, version), before, **more)
        write_switch(models, shop_id, switch)
    write_atomically(models / shop_id / "CURRENT", version + "\n")
    return switch


def candidate_of(models: Path, shop_id: str, version: str) -> str:
    """The candidate that a release was made from; its own name where it does not say or cannot be read."""
    try:
        return str(read_manifest(models / shop_id / "releases" / version).get("candidate", version))
    except CorruptArtefact:
        return version


def _is_sound(paths: Paths, shop_id: str, version: str) -> bool:
    """Whether the release is there and verifies; a damaged one is written again."""
    try:
        Release.load(paths.models, shop_id, version)
        Release.read(paths.models / shop_id / "releases" / version / WINDOW, shop_id, version)
    except CorruptArtefact:
        return False
    return True


def _drop_old(releases: Path, keep: Collection[str | None], withdrawn: Collection[str]) -> None:
    """Delete what is more than ``KEPT_RELEASES``: first what was withdrawn, then the oldest, never one of ``keep``."""
    there = kept_releases(releases)
    others = [folder for folder in there if folder.name not in keep]
    others.sort(key=lambda folder: (folder.name not in withdrawn, folder.stat().st_mtime))
    for old in others[: max(0, len(there) - KEPT_RELEASES)]:
        shutil.rmtree(old)


def kept_releases(releases: Path) -> list[Path]:
    """The folders of releases that lie there."""
    if not releases.is_dir():
        return []
    return [folder for folder in releases.iterdir() if folder.is_dir() and not folder.name.startswith(".")]
