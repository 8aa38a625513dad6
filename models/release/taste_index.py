"""The search index of a large shop's item factors, a file of the release."""

from __future__ import annotations

import hashlib
from pathlib import Path

from models.algorithms.nearest_items import LEAST_ITEMS, NearestItems, index_bytes
from models.algorithms.recommender import Scores
from models.release.artefact import CorruptArtefact, verified
from models.release.release_files import ReleaseFiles

FILE = "als_items.usearch"
_MOST_BYTES_A_NUMBER, _MOST_BYTES_AN_ITEM = 4, 1024


def write(folder: Path, item_factors: Scores) -> dict[str, str]:
    """Write the index where it is worth it; the checksum by file, for the manifest."""
    if len(item_factors) < LEAST_ITEMS:
        return {}
    content = index_bytes(item_factors)
    (folder / FILE).write_bytes(content)
    return {FILE: hashlib.sha256(content).hexdigest()}


def read(files: ReleaseFiles, item_factors: Scores) -> NearestItems | None:
    """The index of a release that has one, verified. Raises CorruptArtefact."""
    if FILE not in files.manifest["sha256"]:
        return None
    most = len(item_factors) * (_MOST_BYTES_A_NUMBER * item_factors.shape[1] + _MOST_BYTES_AN_ITEM) + 4096
    verified(files.folder, files.manifest, FILE, most)
    with files.understood(FILE):
        nearest = NearestItems.view(files.folder / FILE)
    if nearest.shape != item_factors.shape:
        raise CorruptArtefact(f"{files.folder / FILE} is of {nearest.shape} factors, als.npz has {item_factors.shape}")
    return nearest
