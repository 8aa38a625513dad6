"""A shop's history is replaced in steps; whichever a crash cuts off, the shop has its old history or its new one, whole."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from imports.resumable import resumable_landing
from jishi.landing import LandingError, ShopFacts, landed_lines, landed_shops, load_manifest, write_landing

FACTS = ShopFacts(name="S", time_zone="UTC", currency="CNY")
OLD, NEW = [b'{"n": 1}\n', b'{"n": 2}\n'], [b'{"n": 3}\n']


class PowerCut(BaseException):
    """The machine goes down: nothing after it runs, not even an except clause."""


def write(root: Path, lines: list[bytes]) -> None:
    with write_landing(root, "s", FACTS, "test") as writer:
        writer.write(line.rstrip(b"\n") for line in lines)


def import_again(root: Path, lines: list[bytes]) -> None:
    with resumable_landing(root, "s", FACTS, "test", "fingerprint", add=False) as writer:
        writer.write(line.rstrip(b"\n") for line in lines)


def cut_at(step: int, real: Callable[..., Any], count: list[int], *, is_done: bool = False) -> Callable[..., Any]:
    def call(*arguments: Any, **options: Any) -> Any:
        count[0] += 1
        is_cut = count[0] == step
        if is_cut and not is_done:
            raise PowerCut
        result = real(*arguments, **options)
        if is_cut:
            raise PowerCut
        return result

    return call


def add(root: Path, lines: list[bytes]) -> None:
    with resumable_landing(root, "s", FACTS, "test", "fingerprint of the added", add=True) as writer:
        writer.write(line.rstrip(b"\n") for line in lines)


STEPS: list[tuple[Any, str]] = [
    *((Path, name) for name in ("rename", "unlink", "mkdir")),
    *((shutil, "rmtree"), (os, "link"), (os, "replace"), (os, "fsync")),
]


@pytest.mark.parametrize("is_done", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("step", range(1, 22))
def test_an_addition_that_is_cut_off_anywhere_is_there_once_when_it_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int, is_done: bool
) -> None:
    write(tmp_path, OLD)
    count = [0]
    with monkeypatch.context() as patch:
        for owner, name in STEPS:
            patch.setattr(owner, name, cut_at(step, getattr(owner, name), count, is_done=is_done))
        with contextlib.suppress(PowerCut):
            add(tmp_path, NEW)
    assert landed_shops(tmp_path) == ["s"]
    assert list(landed_lines(tmp_path / "s")) in (OLD, [*OLD, *NEW])
    add(tmp_path, NEW)
    assert list(landed_lines(tmp_path / "s")) == [*OLD, *NEW]
    add(tmp_path, NEW)
    assert list(landed_lines(tmp_path / "s")) == [*OLD, *NEW], "the same files count once"
    assert [folder.name for folder in tmp_path.iterdir()] == ["s"]


def test_the_cut_reaches_every_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, OLD)
    count = [0]
    for owner, name in STEPS:
        monkeypatch.setattr(owner, name, cut_at(0, getattr(owner, name), count))
    add(tmp_path, NEW)
    assert 12 < count[0] < 22


@pytest.mark.parametrize("is_added", [False, True])
def test_files_without_an_event_never_wipe_a_history(tmp_path: Path, is_added: bool) -> None:
    write(tmp_path, OLD)
    with (
        pytest.raises(LandingError, match="there is no event in it; nothing was imported"),
        resumable_landing(tmp_path, "s", FACTS, "events: empty.jsonl", "empty", add=is_added) as writer,
    ):
        writer.write([])
    assert list(landed_lines(tmp_path / "s")) == OLD
    assert [folder.name for folder in tmp_path.iterdir()] == ["s"]


@pytest.mark.parametrize("replace", [write, import_again], ids=["write", "import"])
@pytest.mark.parametrize("step", range(1, 8))
def test_a_crash_at_any_rename_or_removal_leaves_a_whole_history(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, replace: Callable[[Path, list[bytes]], None], step: int
) -> None:
    write(tmp_path, OLD)
    count = [0]
    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", cut_at(step, Path.rename, count))
        patch.setattr(shutil, "rmtree", cut_at(step, shutil.rmtree, count))
        with contextlib.suppress(PowerCut):
            replace(tmp_path, NEW)
    assert landed_shops(tmp_path) == ["s"]
    lines = list(landed_lines(tmp_path / "s"))
    assert lines in (OLD, NEW)
    assert load_manifest(tmp_path / "s").lines == len(lines)
    replace(tmp_path, NEW)
    assert list(landed_lines(tmp_path / "s")) == NEW
    assert [folder.name for folder in tmp_path.iterdir() if not folder.name.startswith(".s.draft")] == ["s"]
