"""A shop's history is replaced in steps; whichever a crash cuts off, the shop has its old history or its new one, whole."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from imports.resumable import resumable_landing
from jishi.landing import ShopFacts, landed_lines, landed_shops, load_manifest, write_landing

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


def cut_at(step: int, real: Callable[..., Any], count: list[int]) -> Callable[..., Any]:
    def call(*arguments: Any, **options: Any) -> Any:
        count[0] += 1
        if count[0] == step:
            raise PowerCut
        return real(*arguments, **options)

    return call


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
