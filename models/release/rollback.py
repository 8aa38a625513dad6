"""Go back to an older release, by one switch that says who and why; and list what there is to go back to."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from models.evaluation.metrics import MAIN_METRIC
from models.release.artefact import CorruptArtefact, read_manifest
from models.release.registry import candidate_of, current_version, kept_releases, switch_to
from models.release.serving_index import Release
from models.release.switches import RESUMED, ROLLED_BACK, Switches, one_at_a_time, write_switch

IN_USE, KEPT, WITHDRAWN, REFUSED = "in use", "kept", "withdrawn", "refused"


class NoWayBack(LookupError):
    """No such release is kept, or none that could be used."""


@dataclass(frozen=True)
class WentBack:
    """The release now in use, the one before, and what is wrong with releases between them that were passed over."""

    version: str
    before: str
    passed_over: list[str]


@dataclass(frozen=True)
class ListedRelease:
    """A release that is kept, or the newest candidate where the gate refused it.

    ``placements``: the model of each, and the main metric of its list as served, where it was judged. ``sentence``: why it
    stands where it stands.
    """

    version: str
    state: str
    published_at: datetime | None
    trained_to: str | None
    sentence: str
    placements: dict[str, tuple[str, float | None]] = field(default_factory=dict)


def roll_back(
    models: Path, shop_id: str, version: str | None, *, by: str, now: datetime, note: str = "", holds: bool = False
) -> WentBack:
    """Put an older release in use; without a ``version`` the one published before that is whole and not withdrawn.

    The candidate of the release that was in use is withdrawn: the same is not published again until somebody names one of its
    releases here. ``holds``: neither is any other, until ``resume``. Raises NoWayBack, and CorruptArtefact for a named release.
    """
    with one_at_a_time(models, shop_id):
        current = current_version(models, shop_id)
        if current is None:
            raise NoWayBack(f"shop {shop_id!r} has no release in use")
        passed_over: list[str] = []
        if version is None:
            version = _release_before(models, shop_id, current, passed_over)
        elif version not in (kept := [folder.name for folder in kept_releases(models / shop_id / "releases")]):
            raise NoWayBack(f"shop {shop_id!r} keeps no release {version!r}; kept: {', '.join(sorted(kept)) or 'none'}")
        elif version == current:
            raise NoWayBack(f"release {version} of shop {shop_id!r} is in use already")
        else:
            Release.load(models, shop_id, version)
        withdrawn = candidate_of(models, shop_id, current)
        if withdrawn == candidate_of(models, shop_id, version):  # the gate decided twice on one candidate
            withdrawn = current
        switch_to(models, shop_id, version, ROLLED_BACK, by, now, withdrawn=withdrawn, holds=holds, note=note)
    return WentBack(version, current, passed_over)


def resume(models: Path, shop_id: str, *, by: str, now: datetime) -> str:
    """End a hold; returns the release that was held. Raises NoWayBack where none is."""
    with one_at_a_time(models, shop_id):
        hold = Switches.read(models, shop_id).hold
        if hold is None:
            raise NoWayBack(f"no release of shop {shop_id!r} is held")
        write_switch(models, shop_id, type(hold)(now, by, RESUMED, hold.version, hold.candidate, hold.version))
    return hold.version


def listed(models: Path, shop_id: str) -> list[ListedRelease]:
    """Every kept release, newest first; before them the newest candidate, where it was refused."""
    switches, current = Switches.read(models, shop_id), current_version(models, shop_id)
    withdrawn = switches.withdrawn_versions()
    listed = []
    for folder in _newest_first(models, shop_id, switches):
        version = folder.name
        state = IN_USE if version == current else WITHDRAWN if version in withdrawn else KEPT
        sentence = f"withdrawn on {withdrawn[version].summary()}" if version in withdrawn else ""
        if version == current and switches.newest is not None and switches.newest.version == version:
            held = ", held" if switches.newest.holds else ""
            sentence = f"{switches.newest.action}{held} on {switches.newest.summary()}"
        listed.append(_release(folder, state, _published_at(folder, switches), sentence))
    return [*_refused(models / shop_id / "candidates", switches), *listed]


def _release_before(models: Path, shop_id: str, current: str, passed_over: list[str]) -> str:
    """The newest whole release that was published before the current one and is not withdrawn."""
    switches = Switches.read(models, shop_id)
    withdrawn = switches.withdrawn_versions()
    names = [folder.name for folder in _newest_first(models, shop_id, switches)]
    older = names[names.index(current) + 1 :] if current in names else names
    for version in older:
        if version in withdrawn:
            continue
        try:
            Release.load(models, shop_id, version)
        except CorruptArtefact as error:
            passed_over.append(str(error))
            continue
        return version
    reasons = "".join(f"; {each}" for each in passed_over)
    raise NoWayBack(f"shop {shop_id!r} keeps no release from before {current} that could be used{reasons}")


def _newest_first(models: Path, shop_id: str, switches: Switches) -> list[Path]:
    folders = kept_releases(models / shop_id / "releases")
    return sorted(folders, key=lambda folder: (_published_at(folder, switches), folder.name), reverse=True)


def _published_at(folder: Path, switches: Switches) -> datetime:
    """As written down; for a release from before switches were, when its folder was made."""
    return switches.published_at(folder.name) or datetime.fromtimestamp(folder.stat().st_mtime, UTC)


def _release(folder: Path, state: str, published_at: datetime, sentence: str) -> ListedRelease:
    try:
        manifest = read_manifest(folder)
    except CorruptArtefact as error:
        return ListedRelease(folder.name, state, published_at, None, f"damaged: {error}")
    placements = {name: _figures(chosen) for name, chosen in manifest.get("placements", {}).items()}
    trained_to = manifest.get("trained_on", {}).get("to")
    return ListedRelease(folder.name, state, published_at, trained_to, sentence, placements)


def _figures(chosen: dict[str, Any]) -> tuple[str, float | None]:
    served = chosen.get("served")
    return str(chosen["model"]), None if served is None else float(served[MAIN_METRIC]["mean"])


def _refused(candidates: Path, switches: Switches) -> list[ListedRelease]:
    """The newest candidate, where it is not to be published."""
    try:
        candidate = (candidates / "LATEST").read_text(encoding="utf-8").strip()
        decision = json.loads((candidates / candidate / "gate.json").read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return []
    objection = switches.objection(candidate) if decision["is_released"] else None
    if decision["is_released"] and (objection is None or candidate in switches.withdrawn()):
        return []
    placements = {name: _figures(chosen) for name, chosen in decision["placements"].items()}
    return [ListedRelease(candidate, REFUSED, None, None, objection or decision["sentence"], placements)]
