"""Artefacts: a folder of npz, Arrow and JSON files with a manifest of their SHA-256 sums. Nothing in it can run code."""

from __future__ import annotations

import hashlib
import json
import math
import mmap
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa

from jishi.files import write_json
from models.algorithms.recommender import State
from models.release import canaries
from models.release.ids import Ids, RepeatedId
from models.release.plain_arrays import BadArrays, most_bytes, unpack_arrays, write_arrays

FORMAT = 2  # 1: lists of ids were JSON
MANIFEST = "manifest.json"
MOST_NUMBERS = 2**31  # of an array: 40 million persons with 50 items each
MOST_TEXT_BYTES = 2**30  # of a list of ids, and of a manifest
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")


class CorruptArtefact(RuntimeError):
    """A file of an artefact is missing, changed or not what the manifest says; the message names it."""


def save(
    folder: Path,
    states: dict[str, State],
    ids: Mapping[str, Sequence[str]],
    facts: dict[str, Any],
    files: Mapping[str, bytes] | None = None,
) -> None:
    """Write states (one npz each), id lists (one Arrow file each) and other ``files`` with a manifest; the manifest comes last.

    Same content, same bytes.
    """
    folder.mkdir(parents=True, exist_ok=True)
    sums: dict[str, str] = {}
    for name, state in states.items():
        with (folder / f"{name}.npz").open("w+b") as file:
            write_arrays(state, file)
            file.seek(0)
            sums[f"{name}.npz"] = hashlib.file_digest(file, "sha256").hexdigest()
    for name, values in ids.items():
        sums[ids_file(name)] = _write(folder / ids_file(name), _arrow(values))
    for name, content in (files or {}).items():
        sums[name] = _write(folder / name, content)
    shapes = {name: {key: list(array.shape) for key, array in state.items()} for name, state in states.items()}
    known = {"format": FORMAT, "sha256": sums, "shapes": shapes, "canaries": canaries.record(states, ids)}
    write_json(folder / MANIFEST, known | facts)


def _write(file: Path, content: bytes) -> str:
    file.write_bytes(content)
    return hashlib.sha256(content).hexdigest()


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest. Raises CorruptArtefact when it is missing, no JSON, of another format, or names what no artefact has."""
    file = folder / MANIFEST
    try:
        if (size := file.stat().st_size) > MOST_TEXT_BYTES:
            raise CorruptArtefact(f"{file} has {size:,} bytes, more than {MOST_TEXT_BYTES:,}")
        manifest: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise CorruptArtefact(f"{file} cannot be read: {error}") from error
    if not isinstance(manifest, dict) or not all(isinstance(manifest.get(name), dict) for name in ("sha256", "shapes")):
        raise CorruptArtefact(f"{file} is no manifest: it has no sums and shapes")
    if manifest.get("format") not in (1, FORMAT):
        raise CorruptArtefact(f"{file}: format is {manifest.get('format')!r}, this version reads 1 and {FORMAT}")
    for name in (*manifest["sha256"], *manifest["shapes"]):
        if not _NAME.fullmatch(name):
            raise CorruptArtefact(f"{file} names {name!r}, which is no file of its own folder")
    for name, shapes in manifest["shapes"].items():
        _check_shapes(file, name, shapes)
    return manifest


def _check_shapes(file: Path, name: str, shapes: Any) -> None:
    if not isinstance(shapes, dict):
        raise CorruptArtefact(f"{file}: the shapes of {name}.npz are no object")
    for key, shape in shapes.items():
        if not isinstance(shape, list) or not all(type(size) is int and size >= 0 for size in shape):
            raise CorruptArtefact(f"{file}: {key} of {name}.npz has the shape {shape}, which no array has")
        if math.prod(shape) > MOST_NUMBERS:
            raise CorruptArtefact(f"{file}: {key} of {name}.npz has the shape {shape}, more than {MOST_NUMBERS:,} numbers")


def load_state(folder: Path, manifest: dict[str, Any], name: str) -> State:
    """One model's arrays, verified: checksum, shapes as promised, only finite numbers. Raises CorruptArtefact."""
    shapes = manifest["shapes"].get(name, {})
    content = verified(folder, manifest, f"{name}.npz", most_bytes(shapes))
    try:
        with (folder / f"{name}.npz").open("rb") as file:
            return unpack_arrays(file, content, shapes)
    except BadArrays as error:
        raise CorruptArtefact(f"{folder / name}.npz: {error}") from error
    except OSError as error:
        raise CorruptArtefact(f"{folder / name}.npz cannot be read: {error}") from error


def ids_file(name: str) -> str:
    """The file of a list of ids."""
    return f"{name}.arrow"


def find_ids(manifest: Mapping[str, Any], name: str) -> str:
    """The same in an artefact that is there."""
    earlier = f"{name}.json"
    return earlier if earlier in manifest["sha256"] else ids_file(name)


def _arrow(ids: Sequence[str]) -> bytes:
    """One column of strings in one batch, as it lies in memory."""
    batch = pa.record_batch([pa.array(list(ids), pa.string())], names=["id"])
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, batch.schema) as writer:
        writer.write_batch(batch)
    content: bytes = sink.getvalue().to_pybytes()
    return content


def load_ids(folder: Path, manifest: dict[str, Any], name: str) -> Ids:
    """One list of ids, verified, each there once. Raises CorruptArtefact."""
    file = folder / find_ids(manifest, name)
    if file.suffix == ".json":
        return _ids_of_json(folder, manifest, file.name)
    content = verified(folder, manifest, file.name, MOST_TEXT_BYTES)
    try:
        with pa.ipc.open_file(pa.py_buffer(content)) as opened:
            if opened.num_record_batches != 1 or opened.schema.types != [pa.string()]:
                raise CorruptArtefact(f"{file} is no list of ids: it is not one batch of one column of strings")
            strings = opened.get_batch(0).column(0)
        strings.validate(full=True)
        if strings.null_count:
            raise CorruptArtefact(f"{file} is no list of ids: {strings.null_count} are missing")
        return Ids(strings)
    except pa.ArrowException as error:
        raise CorruptArtefact(f"{file} is no Arrow file: {error}") from error
    except RepeatedId as error:
        raise CorruptArtefact(f"{file}: {error}") from error


def _ids_of_json(folder: Path, manifest: dict[str, Any], file_name: str) -> Ids:
    try:
        ids = orjson.loads(verified(folder, manifest, file_name, MOST_TEXT_BYTES)[:])
    except ValueError as error:
        raise CorruptArtefact(f"{folder / file_name} is no JSON: {error}") from error
    if not isinstance(ids, list) or not all(isinstance(entry, str) for entry in ids):
        raise CorruptArtefact(f"{folder / file_name} is no list of ids")
    try:
        return Ids.of(ids)
    except RepeatedId as error:
        raise CorruptArtefact(f"{folder / file_name}: {error}") from error


def verified(folder: Path, manifest: dict[str, Any], file_name: str, most: int) -> mmap.mmap:
    """The content of a file, mapped, when its checksum is the manifest's."""
    file = folder / file_name
    promised = manifest["sha256"].get(file_name)
    if promised is None:
        raise CorruptArtefact(f"{file}: the manifest has no checksum of it")
    try:
        if (size := file.stat().st_size) > most:
            raise CorruptArtefact(f"{file} has {size:,} bytes; by the manifest it cannot have more than {most:,}")
        if size == 0:  # nothing to map
            raise CorruptArtefact(f"{file}: checksum differs from the manifest: it is empty; publish the release again")
        with file.open("rb") as opened:
            content = mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ)
    except (OSError, ValueError) as error:  # ValueError: it was emptied just now
        raise CorruptArtefact(f"{file} cannot be read: {error}") from error
    if hashlib.sha256(content).hexdigest() != promised:
        raise CorruptArtefact(f"{file}: checksum differs from the manifest; publish the release again")
    return content
