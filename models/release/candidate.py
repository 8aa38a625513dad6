"""The newest candidate of a shop: its folder, the acts that it is judged by, and what was found.

``var/models/<shop>/candidates/<candidate>/``: ``window/`` (models of the training window), ``full/`` (the same models on all
data), ``evaluation.json`` and ``judged/``, ``served/`` (by ``serving.judge``), ``gate.json``. ``candidates/LATEST`` names the
newest; ``CURRENT`` the published release.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from jishi.lake.query import open_lake
from jishi.lake.reading import LakeVersion
from jishi.paths import Paths
from models.data.evaluation_acts import describe, digest_with_contexts, read_judged, split
from models.data.interactions import Interactions, instant
from models.data.persons_at_cut import view_persons_then
from models.data.split import SplitWindow
from models.release.artefact import load_ids

MADE_FROM = "made_from"  # the manifest's fact that tells a candidate made from tables from one that was trained in memory
TRAINED_ON = "acts_in_lake"  # the fact that says by which acts of the lake one was trained in memory
JUDGED = "judged"  # by placement and model the main metric of each person


class StepMissing(LookupError):
    """A step was asked for before the one that it needs."""


def candidate_folder(paths: Paths, shop_id: str) -> Path:
    """Folder of the newest candidate. Raises StepMissing when there is none."""
    pointer = paths.models / shop_id / "candidates" / "LATEST"
    if not pointer.exists():
        raise StepMissing(f"shop {shop_id!r} has no candidate; run: python -m models train --shop {shop_id}")
    return pointer.parent / pointer.read_text(encoding="utf-8").strip()


def judged_by(lake: LakeVersion, shop_id: str, folder: Path, manifest: dict[str, Any]) -> tuple[Interactions, SplitWindow]:
    """The acts that a candidate is judged by, those that its judges ask for, and their split. Raises StepMissing."""
    has_contexts = MADE_FROM not in manifest
    with open_lake(lake) as connection:
        if has_contexts:
            is_same = digest_with_contexts(connection, shop_id) == manifest.get(TRAINED_ON)  # a candidate of before has none
        else:
            is_same = describe(connection, shop_id).digest == manifest[MADE_FROM]["acts"]
        if not is_same:
            raise StepMissing(f"the interactions of {shop_id!r} changed since the candidate was trained; run train again")
        window = split(connection, shop_id)
        view_persons_then(connection, lake, shop_id, instant(window.cut))
        ids = (load_ids(folder / "window", manifest, name) for name in ("items", "persons"))
        return read_judged(connection, shop_id, window, *ids, has_contexts=has_contexts), window


def read_evaluation(folder: Path) -> dict[str, Any]:
    """The report of ``evaluate``. Raises StepMissing."""
    if not (folder / "evaluation.json").exists():
        shop_id = folder.parents[1].name
        raise StepMissing(f"the candidate of {shop_id!r} was not evaluated; run: python -m models evaluate --shop {shop_id}")
    report: dict[str, Any] = json.loads((folder / "evaluation.json").read_text(encoding="utf-8"))
    return report
