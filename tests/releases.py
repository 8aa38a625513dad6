"""A small release on disk, as the registry keeps it, made without training: what each model says is known by construction."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from scipy import sparse

from models.algorithms.position_bias import MOST_PLACES
from models.algorithms.sparse_rows import pack
from models.candidates.person_lists import PersonLists
from models.candidates.recipes import RECIPES, Recipe
from models.release.artefact import MANIFEST, load_ids, read_manifest, save

ITEMS, PERSONS, FACTORS = 12, 6, 3
MARCH = datetime(2026, 3, 1)  # noqa: DTZ001 (acts are known by UTC instants without a zone)
HOME, CART = Recipe("tifu_knn", personal="tifu_knn"), Recipe("bought_together", "bought_together")


def item_ids(shop_id: str) -> list[str]:
    """Ids of a shop's items."""
    return [f"{shop_id}-i{number:02}" for number in range(ITEMS)]


def states(seed: int) -> dict[str, dict[str, np.ndarray]]:
    """Arrays of every model that the release has."""
    luck = np.random.default_rng(seed)
    near = sparse.random(ITEMS, ITEMS, 0.4, "csr", np.float32, random_state=luck) + sparse.eye(ITEMS, dtype=np.float32)
    near, together = sparse.csr_matrix(near), sparse.random(ITEMS, ITEMS, 0.4, "csr", np.float32, random_state=luck)
    lists = np.array([luck.permutation(ITEMS)[:5] for _ in range(PERSONS)])
    weights = np.sort(luck.random((PERSONS, 5)) + 0.1, axis=1)[:, ::-1]
    one_list = PersonLists.of(lists, weights, "bought_often")
    return {
        "popularity": {"sales": np.arange(ITEMS, 0, -1, dtype=np.float32)},
        "item_knn": {"data": near.data, "indices": near.indices, "indptr": near.indptr, "items": np.array([ITEMS])},
        "als": {
            "item_factors": luck.normal(size=(ITEMS, FACTORS)).astype(np.float32),
            "person_factors": luck.normal(size=(PERSONS, FACTORS)).astype(np.float32),
        },
        "lists_tifu_knn": one_list.state(),
        "context_bought_together": pack("rules", sparse.csr_matrix(together)),
        "repurchase": {"chance": luck.random(ITEMS).astype(np.float32) / 10},
        "newcomers": {
            "items": np.array([ITEMS - 2, ITEMS - 1]),
            "a": np.array([1.0, 2.0]),
            "b": np.array([30.0, 40.0]),
            "looked_at": np.ones(MOST_PLACES),
            "known_to_ms": np.array([int(MARCH.replace(tzinfo=UTC).timestamp() * 1000)]),
        },
        "newcomers_nearest": PersonLists.of(
            np.tile([ITEMS - 1, ITEMS - 2], (PERSONS, 1)), np.full((PERSONS, 2), 0.5), "new"
        ).state(),
        "purchases": {"starts": np.zeros(PERSONS + 1, dtype=np.int64), "items": np.empty(0, dtype=np.int32)},
    }


def decision() -> dict[str, Any]:
    """What the gate says: a model for home and cart, the ladder for the others."""
    served = {"persons": 40, "ndcg@10": {"mean": 0.25, "low": 0.2, "high": 0.3}}
    placements: dict[str, dict[str, Any]] = {
        placement: {"model": "ladder", "recipe": None, "sentence": "no case"} for placement in RECIPES
    }
    for placement, recipe in (("home", HOME), ("cart", CART)):
        placements[placement] = {"model": recipe.name, "recipe": recipe.as_json(), "sentence": "better", "served": served}
    return {"placements": placements, "beats_popularity": ["als", "item_knn"]}


def write_candidate(models: Path, shop_id: str, candidate: str, trained_to: datetime = MARCH, seed: int = 1) -> Path:
    """The newest candidate of a shop, which the gate has passed."""
    folder = models / shop_id / "candidates" / candidate
    ids = {"items": item_ids(shop_id), "persons": [f"u:u{number}" for number in range(PERSONS)]}
    span = {"from": "2026-01-01T00:00:00", "to": trained_to.isoformat()}
    for part in ("full", "window"):
        save(folder / part, states(seed), ids, {"shop_id": shop_id, "candidate": candidate, "trained_on": span})
    passed = {"is_released": True, "sentence": "released: better", "candidate": candidate}
    (folder / "gate.json").write_text(json.dumps(decision() | passed))
    (folder.parent / "LATEST").write_text(f"{candidate}\n")
    return folder


def reseal(folder: Path) -> None:
    """Make the manifest agree with the files that are there: only what is inside can tell."""
    manifest = json.loads((folder / MANIFEST).read_text())
    for name in manifest["sha256"]:
        if (folder / name).exists():
            manifest["sha256"][name] = hashlib.sha256((folder / name).read_bytes()).hexdigest()
    (folder / MANIFEST).write_text(json.dumps(manifest))


def change_arrays(folder: Path, name: str, change: Callable[[dict[str, np.ndarray]], dict[str, np.ndarray]]) -> None:
    """Save other arrays in the place of a file's; manifest and sums agree with them."""
    with np.load(folder / f"{name}.npz") as archive:
        arrays = change(dict(archive))
    np.savez(folder / f"{name}.npz", **arrays)  # type: ignore[arg-type]
    edit_manifest(folder, lambda manifest: manifest["shapes"].update({name: {k: list(a.shape) for k, a in arrays.items()}}))
    reseal(folder)


def change_ids(folder: Path, name: str, change: Callable[[list[str]], list[str]]) -> None:
    """Save other ids in the place of a list; the sums agree with them."""
    ids = change(list(load_ids(folder, read_manifest(folder), name)))
    batch = pa.record_batch([pa.array(ids, pa.string())], names=["id"])
    with pa.OSFile(str(folder / f"{name}.arrow"), "wb") as sink, pa.ipc.new_file(sink, batch.schema) as writer:
        writer.write_batch(batch)
    reseal(folder)


def edit_manifest(folder: Path, edit: Callable[[dict[str, Any]], Any]) -> None:
    """Change the manifest in place."""
    manifest = json.loads((folder / MANIFEST).read_text())
    edit(manifest)
    (folder / MANIFEST).write_text(json.dumps(manifest))


def copy_release(models: Path, shop_id: str, version: str, other: str) -> Path:
    """The same release under another name."""
    target = models / shop_id / "releases" / other
    shutil.copytree(models / shop_id / "releases" / version, target)
    return target
