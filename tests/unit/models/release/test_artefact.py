"""Artefacts say which file is damaged and how; equal content gives equal bytes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from models.release.artefact import CorruptArtefact, load_ids, load_state, read_manifest, save
from models.release.plain_arrays import ALIGNED

STATE = {"factors": np.arange(6, dtype=np.float32).reshape(3, 2), "items": np.array([3])}
IDS = ["裙", "i1", "i2"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save(tmp_path / "made", {"model": STATE}, {"items": IDS}, {"shop_id": "a"})
    return tmp_path / "made"


def read(folder: Path) -> tuple[dict[str, np.ndarray], list[str]]:
    manifest = read_manifest(folder)
    return load_state(folder, manifest, "model"), list(load_ids(folder, manifest, "items"))


def test_what_was_saved_is_read(folder: Path) -> None:
    state, ids = read(folder)
    assert ids == IDS
    assert state.keys() == STATE.keys()
    assert all(np.array_equal(state[key], STATE[key]) and state[key].dtype == STATE[key].dtype for key in STATE)
    assert read_manifest(folder)["shop_id"] == "a"


@pytest.mark.parametrize("content", ['["裙", "i1", "i2"]', '["\\u88d9", "i1", "i2"]'])
def test_ids_of_an_earlier_release_are_json(folder: Path, content: str) -> None:
    resealed("items.json", content.encode())(folder)
    assert read(folder)[1] == IDS


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"[", "is no JSON"),
        (b'{"a": 1}', "is no list of ids"),
        (b"[1, 2]", "is no list of ids"),
        (b'["a", "a"]', "'a' is there twice"),
    ],
)
def test_damage_of_an_earlier_list_of_ids_is_found(folder: Path, content: bytes, message: str) -> None:
    resealed("items.json", content)(folder)
    with pytest.raises(CorruptArtefact, match=r"items\.json.*" + message):
        read(folder)


def test_equal_content_gives_equal_bytes(folder: Path, tmp_path: Path) -> None:
    save(tmp_path / "again", {"model": dict(reversed(STATE.items()))}, {"items": IDS}, {"shop_id": "a"})
    for file in folder.iterdir():
        assert file.read_bytes() == (tmp_path / "again" / file.name).read_bytes(), file.name


def flip(name: str) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        content = bytearray((folder / name).read_bytes())
        content[len(content) // 2] ^= 1
        (folder / name).write_bytes(content)

    return damage


def cut(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).write_bytes((folder / name).read_bytes()[:-10]) and None


def remove(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


def manifest_of(text: str) -> Callable[[Path], None]:
    return lambda folder: (folder / "manifest.json").write_text(text) and None


def resealed(name: str, content: bytes) -> Callable[[Path], None]:
    """Another content with a sum that fits: only what is inside can tell."""

    def damage(folder: Path) -> None:
        manifest = json.loads((folder / "manifest.json").read_text())
        manifest["sha256"][name] = hashlib.sha256(content).hexdigest()
        (folder / name).write_bytes(content)
        (folder / "manifest.json").write_text(json.dumps(manifest))

    return damage


def npz(folder: Path, **arrays: np.ndarray) -> bytes:
    folder.mkdir(exist_ok=True)
    np.savez(folder / "made.npz", allow_pickle=True, **arrays)
    return (folder / "made.npz").read_bytes()


def arrow(*batches: pa.Array) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, pa.schema([("id", batches[0].type)])) as writer:
        for each in batches:
            writer.write_batch(pa.record_batch([each], names=["id"]))
    content: bytes = sink.getvalue().to_pybytes()
    return content


def overrun() -> pa.Array:
    """The first id ends where there are no letters any more."""
    starts = np.array([0, 5000, 2], dtype=np.int32)
    return pa.StringArray.from_buffers(2, pa.py_buffer(starts.tobytes()), pa.py_buffer(b"ab"))


def not_text() -> pa.Array:
    return pa.StringArray.from_buffers(1, pa.py_buffer(np.array([0, 2], dtype=np.int32).tobytes()), pa.py_buffer(b"\xff\xfe"))


def resaved(**arrays: np.ndarray) -> Callable[[Path], None]:
    return lambda folder: resealed("model.npz", npz(folder.parent / "aside", **arrays))(folder)


DAMAGES = {
    "a bit of the arrays": (flip("model.npz"), r"model\.npz: checksum"),
    "a bit of the ids": (flip("items.arrow"), r"items\.arrow: checksum"),
    "arrays cut short": (cut("model.npz"), r"model\.npz: checksum"),
    "arrays gone": (remove("model.npz"), r"model\.npz cannot be read"),
    "ids gone": (remove("items.arrow"), r"items\.arrow cannot be read"),
    "manifest gone": (remove("manifest.json"), r"manifest\.json cannot be read"),
    "manifest cut short": (cut("manifest.json"), r"manifest\.json cannot be read"),
    "manifest is no object": (manifest_of("[]"), r"manifest\.json is no manifest"),
    "manifest without sums": (manifest_of('{"format": 1, "sha256": null, "shapes": {}}'), r"manifest\.json is no manifest"),
    "another format": (manifest_of('{"format": 3, "sha256": {}, "shapes": {}}'), "format is 3, this version reads 1 and 2"),
    "a file that the manifest does not know": (manifest_of('{"format": 1, "sha256": {}, "shapes": {}}'), "checksum"),
    "no archive": (resealed("model.npz", b"PK no archive"), "no archive of plain arrays"),
    "ids that are no Arrow file": (resealed("items.arrow", b'["a"]'), r"items\.arrow is no Arrow file"),
    "ids that are numbers": (resealed("items.arrow", arrow(pa.array([1, 2]))), "no list of ids: it is not one batch"),
    "ids in two batches": (resealed("items.arrow", arrow(pa.array(["a"]), pa.array(["b"]))), "not one batch"),
    "an id that is missing": (resealed("items.arrow", arrow(pa.array(["a", None]))), "no list of ids: 1 are missing"),
    "an id twice": (resealed("items.arrow", arrow(pa.array(["a", "b", "a"]))), r"items\.arrow: 'a' is there twice"),
    "ids beyond their letters": (resealed("items.arrow", arrow(overrun())), "no Arrow file"),
    "ids that are no text": (resealed("items.arrow", arrow(not_text())), "no Arrow file"),
    "NaN": (resaved(factors=np.full((3, 2), np.nan), items=np.array([3])), "factors holds numbers that are not finite"),
    "another shape": (resaved(factors=np.ones((2, 3)), items=np.array([3])), r"factors has shape \[2, 3\]"),
    "an object that runs code when it is read": (
        resaved(factors=np.array([{"a": 1}], dtype=object), items=np.array([3])),
        "no archive of plain",
    ),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_is_found_and_named(folder: Path, damage: str) -> None:
    harm, message = DAMAGES[damage]
    harm(folder)
    with pytest.raises(CorruptArtefact, match=message):
        read(folder)


def test_a_large_array_is_a_view_of_the_file_and_a_small_one_is_a_copy(tmp_path: Path) -> None:
    large = np.arange(600_000, dtype=np.float64).reshape(-1, 3)
    save(tmp_path / "made", {"model": {"a": np.arange(5), "large": large, "many_letters_later": large[:, 0]}}, {}, {})
    state = load_state(tmp_path / "made", read_manifest(tmp_path / "made"), "model")
    assert np.array_equal(state["large"], large)
    assert np.array_equal(state["many_letters_later"], large[:, 0])
    for key in ("large", "many_letters_later"):
        assert not state[key].flags.writeable
        assert not state[key].flags.owndata
        assert state[key].ctypes.data % ALIGNED == 0
    assert state["a"].flags.writeable


def test_an_archive_that_numpy_wrote_is_read(tmp_path: Path) -> None:
    """Releases of before have no padding."""
    large = np.arange(200_000, dtype=np.float32)
    save(tmp_path / "made", {"model": {"large": large}}, {}, {})
    np.savez(tmp_path / "made" / "model.npz", large=large)
    manifest = read_manifest(tmp_path / "made")
    content = (tmp_path / "made" / "model.npz").read_bytes()
    manifest["sha256"]["model.npz"] = hashlib.sha256(content).hexdigest()
    assert np.array_equal(load_state(tmp_path / "made", manifest, "model")["large"], large)
