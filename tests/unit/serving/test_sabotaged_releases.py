"""What is done to a release that lies in the registry, and how serving refuses it: by a sentence, without harm to anybody."""

from __future__ import annotations

import io
import re
import shutil
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.releases import ITEMS, change_arrays, change_ids, edit_manifest, item_ids, reseal


def arrays(name: str, **values: Any) -> Callable[[Path], None]:
    """Other arrays in a file; a function makes them of what is there."""

    def change(there: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        return there | {key: value(there[key]) if callable(value) else value for key, value in values.items()}

    return lambda folder: change_arrays(folder, name, change)


def manifest(**values: Any) -> Callable[[Path], None]:
    return lambda folder: edit_manifest(folder, lambda there: there.update(values))


def recipe(placement: str, **values: Any) -> Callable[[Path], None]:
    return lambda folder: edit_manifest(folder, lambda there: there["placements"][placement]["recipe"].update(values))


def quotas(stated: dict[str, Any]) -> Callable[[Path], None]:
    return lambda folder: edit_manifest(folder, lambda there: there["placements"]["home"].update(quotas=stated))


def shape(name: str, key: str, value: Any) -> Callable[[Path], None]:
    return lambda folder: edit_manifest(folder, lambda there: there["shapes"][name].update({key: value}))


def without_array(folder: Path) -> None:
    change_arrays(folder, "als", lambda there: {"item_factors": there["item_factors"]})


def other_ids(name: str, change: Callable[[list[str]], list[str]]) -> Callable[[Path], None]:
    def harm(folder: Path) -> None:
        change_ids(folder, name, change)

    return harm


def truncated(folder: Path) -> None:
    (folder / "als.npz").write_bytes((folder / "als.npz").read_bytes()[:-100])


def flipped(folder: Path) -> None:
    content = bytearray((folder / "lists_tifu_knn.npz").read_bytes())
    content[len(content) // 2] ^= 1
    (folder / "lists_tifu_knn.npz").write_bytes(content)


def bomb(folder: Path) -> None:
    """A gigabyte of zeros in a few kilobytes, with a sum and shape that fit."""
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f4", "fortran_order": False, "shape": (2**28,)})
    with (
        zipfile.ZipFile(folder / "popularity.npz", "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("sales.npy", "w") as file,
    ):
        file.write(header.getvalue())
        for _ in range(64):
            file.write(bytes(2**20))
    shape("popularity", "sales", [2**28])(folder)
    reseal(folder)


def announced(folder: Path) -> None:
    """A header that announces two billion numbers, and twelve that follow."""
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f4", "fortran_order": False, "shape": (2**31,)})
    with zipfile.ZipFile(folder / "popularity.npz", "w") as archive:
        archive.writestr("sales.npy", header.getvalue() + bytes(48))
    shape("popularity", "sales", [2**31])(folder)
    reseal(folder)


def swollen(folder: Path) -> None:
    """A file of 8 GiB, which takes no room on the disk."""
    with (folder / "als.npz").open("ab") as file:
        file.truncate(2**33)


def foreign_items(folder: Path) -> None:
    """A release that is whole and says that it is of this shop, and has the items of another."""
    shutil.copytree(folder.parents[2] / "b" / "releases" / "first", folder, dirs_exist_ok=True)
    manifest(shop_id="a")(folder)


def stale(folder: Path) -> None:
    """A release of older acts that nobody put in use: its pointer came out of a backup."""
    manifest(trained_on={"from": "2026-01-01T00:00:00", "to": "2026-02-01T00:00:00"})(folder)
    switches = folder.parents[1] / "switches.jsonl"
    switches.write_text("".join(switches.read_text().splitlines(keepends=True)[:-1]))


def constant(there: np.ndarray) -> np.ndarray:
    return np.full_like(there, 0.5)


def replaced(value: float) -> Callable[[np.ndarray], np.ndarray]:
    def put(there: np.ndarray) -> np.ndarray:
        there = there.copy()
        there.flat[0] = value
        return there

    return put


FUTURE = {"from": "2026-01-01T00:00:00", "to": "2026-05-01T00:00:00"}
# What is done to a release, and what the sentence says of it, the file's name first.
SABOTAGE: dict[str, tuple[Callable[[Path], None], str]] = {
    "nothing sells": (arrays("popularity", sales=np.zeros_like), r"popularity\.npz: no item sells"),
    "no items": (other_ids("items", lambda _: []), r"popularity\.npz has 12 items, the list of ids has 0"),
    "empty file": (lambda folder: (folder / "als.npz").write_bytes(b"") and None, r"als\.npz: checksum differs"),
    "constant factors": (arrays("als", item_factors=constant), r"als\.npz: every item has the same factors"),
    "constant weights": (arrays("lists_tifu_knn", weights=constant), r"lists_tifu_knn\.npz .*it was .* when it was saved"),
    "constant sales": (arrays("popularity", sales=constant), r"popularity\.npz .*it was .* when it was saved"),
    "NaN": (arrays("als", person_factors=replaced(np.nan)), r"als\.npz: person_factors holds numbers that are not finite"),
    "infinite": (arrays("lists_tifu_knn", weights=replaced(np.inf)), r"lists_tifu_knn\.npz: weights holds .* not finite"),
    "shuffled items": (other_ids("items", lambda ids: ids[1:] + ids[:1]), r"\.npz or its lists of ids: .* when it was saved"),
    "shuffled persons": (other_ids("persons", lambda ids: ids[1:] + ids[:1]), r"als\.npz or its lists .* when it was saved"),
    "shuffled rows": (arrays("lists_tifu_knn", items=lambda rows: rows[::-1]), r"lists_tifu_knn\.npz or its lists of ids"),
    "an item twice": (other_ids("items", lambda ids: [*ids[:-1], ids[0]]), r"items\.arrow: 'a-i00' is there twice"),
    "a person twice": (other_ids("persons", lambda ids: [*ids[:-1], ids[0]]), r"persons\.arrow: 'u:u0' is there twice"),
    "items of another shop": (other_ids("items", lambda _: item_ids("b")), r"not both there, as they were when it was saved"),
    "all of another shop": (foreign_items, r"release second: the trial answer at home .*: the release is of other items"),
    "another shop's manifest": (manifest(shop_id="b"), r"manifest\.json: is of shop 'b', not of 'a'"),
    "acts from the future": (manifest(trained_on=FUTURE), r"second: its acts end at 2026-05-01 .* in the future"),
    "new items known in the future": (
        arrays("newcomers", known_to_ms=lambda there: there + 10**11),
        r"second: its acts end at 2029-.* in the future",
    ),
    "a belief that is none": (arrays("newcomers", a=lambda there: -there), r"newcomers\.npz: it is not whole: a belief needs"),
    "stale": (
        stale,
        r"second: its acts end at 2026-02-01 00:00 UTC, before those of the release in use; to go back: jishi mod",
    ),
    "no instant": (manifest(trained_on={"to": "yesterday"}), r"manifest\.json: trained_on has no instant"),
    "truncated file": (truncated, r"als\.npz: checksum differs from the manifest"),
    "wrong checksum": (flipped, r"lists_tifu_knn\.npz: checksum differs from the manifest"),
    "missing file": (lambda folder: (folder / "als.npz").unlink(), r"als\.npz cannot be read: .*No such file"),
    "missing array": (without_array, r"als\.npz: it is not whole: 'person_factors' is missing"),
    "array less than promised": (shape("als", "more", [3]), r"als\.npz: the array more is missing"),
    "array more than promised": (
        lambda folder: edit_manifest(folder, lambda there: there["shapes"]["als"].pop("item_factors")),
        r"als\.npz: the array item_factors is not in the manifest",
    ),
    "objects": (
        arrays("als", item_factors=np.full((ITEMS, 3), None, dtype=object)),
        r"als\.npz: no archive of plain arrays: item_factors holds object",
    ),
    "text": (arrays("popularity", sales=np.full(ITEMS, "many")), r"popularity\.npz: .*sales holds <U4, not numbers"),
    "broken numbers of items": (
        arrays("item_knn", indices=lambda there: there.astype(np.float32)),
        r"item_knn\.npz: indices holds float32, not whole numbers",
    ),
    "an item out of range": (arrays("item_knn", indices=replaced(10**6)), r"item_knn\.npz: it is not whole: "),
    "rules out of range": (
        arrays("context_bought_together", rules_indices=replaced(10**6)),
        r"placement is not whole: context_bought_together\.npz: ",
    ),
    "rows that fall": (arrays("item_knn", indptr=replaced(5)), r"item_knn\.npz: it is not whole: "),
    "another size": (
        arrays("popularity", sales=np.ones(5, dtype=np.float32)),
        r"popularity\.npz has 5 items, the list of ids has 12",
    ),
    "lists of others": (arrays("lists_tifu_knn", items=lambda there: there + 50), r"lists_tifu_knn\.npz: items of the lists"),
    "negative shape": (
        shape("als", "item_factors", [-1, 3]),
        r"manifest\.json: item_factors of als\.npz has the shape \[-1, 3\]",
    ),
    "another shape": (
        shape("als", "item_factors", [3, ITEMS]),
        r"als\.npz: item_factors has shape \[12, 3\], the manifest says",
    ),
    "shape beyond the bound": (
        shape("als", "item_factors", [2**40, 3]),
        r"manifest\.json: item_factors of als\.npz .* more than",
    ),
    "zip bomb": (bomb, r"popularity\.npz: sales is compressed"),
    "a header that lies": (announced, r"popularity\.npz: sales announces 8,589,934,592 bytes and has 48"),
    "huge file": (swollen, r"als\.npz has 8,589,934,592 bytes; by the manifest it cannot have more than"),
    "path out of the folder": (
        lambda folder: edit_manifest(folder, lambda there: there["sha256"].update({"../first/als.npz": "0"})),
        r"manifest\.json names '\.\./first/als\.npz', which is no file of its own folder",
    ),
    "a quota of everything": (quotas({"new": 10**9}), r"manifest\.json: a placement is not whole: quotas are of new, "),
    "a quota of nothing known": (quotas({"luck": 5}), r"manifest\.json: a placement is not whole: quotas are of new, "),
    "a quota that is no number": (quotas({"new": True}), r"manifest\.json: a placement is not whole: quotas are of new, "),
    "recipe out of the folder": (recipe("home", own="../../first/x"), r"lists_\.\./\.\./first/x\.npz: the manifest has no"),
    "unknown recipe": (recipe("cart", context="crystal_ball"), r"manifest\.json: a placement is not whole: 'crystal_ball'"),
    "recipe of unknown parts": (recipe("cart", seed=7), r"manifest\.json: a placement is not whole: .*seed"),
    "another release format": (manifest(release_format=3), r"manifest\.json: release_format is 3, this version reads 1 and 2"),
    "another format": (manifest(format=9), r"manifest\.json: format is 9"),
    "manifest cut short": (
        lambda folder: (folder / "manifest.json").write_text('{"format": 1, "sha') and None,
        r"manifest\.json cannot be read",
    ),
    "canaries of no file": (manifest(canaries={"als": [["x"]]}), r"manifest\.json: canaries is not whole"),
}


@pytest.mark.parametrize("sabotage", SABOTAGE)
def test_a_sabotaged_release_is_refused_and_the_old_one_keeps_answering(registry: Any, sabotage: str) -> None:
    harm, message = SABOTAGE[sabotage]
    before = {shop_id: registry.listed_by(shop_id) for shop_id in ("a", "b")}
    folder = registry.publish("a", "second", 1, seed=2)
    registry.publish("b", "second", 1, seed=2)
    harm(folder)
    tracemalloc.start()
    registry.look()
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    problem = registry.problem("a")
    assert problem is not None
    assert re.search(message, problem), problem
    assert registry.in_use("a") == "first"
    assert registry.listed_by("a") == before["a"]
    assert (registry.in_use("b"), registry.problem("b")) == ("second", None)  # the other shop has its new one
    assert registry.listed_by("b") != before["b"]
    assert most < 50 * 2**20
