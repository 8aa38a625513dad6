"""Artefacts: a folder of npz and JSON files with a manifest that names the SHA-256 of each. Nothing in it can run code."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np

from jishi.files import write_json
from models.algorithms.recommender import State

FORMAT = 1
MANIFEST = "manifest.json"
# numpy parses the header of an array as Python, which CPython 3.11 does not always survive in two threads at once (SystemError,
# github.com/python/cpython/issues/106905).
_PARSING = Lock()


class CorruptArtefact(RuntimeError):
    """A file of an artefact is missing, changed or not what the manifest says; the message names it."""


def save(folder: Path, states: dict[str, State], ids: dict[str, list[str]], facts: dict[str, Any]) -> None:
    """Write states (one npz each) and id lists (one JSON each) with a manifest; the manifest comes last.

    Same content, same bytes.
    """
    folder.mkdir(parents=True, exist_ok=True)
    sums: dict[str, str] = {}
    for name, state in states.items():
        sums[f"{name}.npz"] = _write(folder / f"{name}.npz", _npz(state))
    for name, values in ids.items():
        sums[f"{name}.json"] = _write(folder / f"{name}.json", json.dumps(values, ensure_ascii=False).encode())
    shapes = {name: {key: list(array.shape) for key, array in state.items()} for name, state in states.items()}
    write_json(folder / MANIFEST, {"format": FORMAT, "sha256": sums, "shapes": shapes, **facts})


def _npz(state: State) -> bytes:
    # numpy.savez stamps no time into the archive, so that equal arrays give equal bytes.
    buffer = io.BytesIO()
    arrays: dict[str, Any] = {key: np.ascontiguousarray(state[key]) for key in sorted(state)}
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def _write(file: Path, content: bytes) -> str:
    file.write_bytes(content)
    return hashlib.sha256(content).hexdigest()


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest. Raises CorruptArtefact when it is missing, no JSON, or of another format."""
    try:
        manifest: dict[str, Any] = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, json.JSONDecodeError, UnicodeDecodeError) as error:
        raise CorruptArtefact(f"{folder / MANIFEST} cannot be read: {error}") from error
    if not isinstance(manifest, dict) or not all(isinstance(manifest.get(name), dict) for name in ("sha256", "shapes")):
        raise CorruptArtefact(f"{folder / MANIFEST} is no manifest: it has no sums and shapes")
    if manifest.get("format") != FORMAT:
        raise CorruptArtefact(f"{folder / MANIFEST}: format is {manifest.get('format')!r}, this version reads {FORMAT}")
    return manifest


def load_state(folder: Path, manifest: dict[str, Any], name: str) -> State:
    """One model's arrays, verified: checksum, shapes as promised, only finite numbers. Raises CorruptArtefact."""
    content = _verified(folder, manifest, f"{name}.npz")
    try:
        with _PARSING, np.load(io.BytesIO(content), allow_pickle=False) as archive:
            state = {key: archive[key] for key in archive.files}
    except (ValueError, OSError, KeyError, zipfile.BadZipFile) as error:
        raise CorruptArtefact(f"{folder / name}.npz is no archive of plain arrays: {error}") from error
    for key, array in state.items():
        promised = manifest["shapes"].get(name, {}).get(key)
        if list(array.shape) != promised:
            raise CorruptArtefact(f"{folder / name}.npz: {key} has shape {list(array.shape)}, the manifest says {promised}")
        if np.issubdtype(array.dtype, np.floating) and not np.isfinite(array).all():
            raise CorruptArtefact(f"{folder / name}.npz: {key} holds numbers that are not finite")
    return state


def load_ids(folder: Path, manifest: dict[str, Any], name: str) -> list[str]:
    """One list of ids, verified. Raises CorruptArtefact."""
    ids = json.loads(_verified(folder, manifest, f"{name}.json"))
    if not isinstance(ids, list) or not all(isinstance(entry, str) for entry in ids):
        raise CorruptArtefact(f"{folder / name}.json is no list of ids")
    return ids


def _verified(folder: Path, manifest: dict[str, Any], file_name: str) -> bytes:
    file = folder / file_name
    try:
        content = file.read_bytes()
    except OSError as error:
        raise CorruptArtefact(f"{file} cannot be read: {error}") from error
    promised = manifest["sha256"].get(file_name)
    if hashlib.sha256(content).hexdigest() != promised:
        raise CorruptArtefact(f"{file}: checksum differs from the manifest; publish the release again")
    return content
