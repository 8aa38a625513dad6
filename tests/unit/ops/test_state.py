"""A folder that is not ours is neither used nor emptied."""

from __future__ import annotations

from pathlib import Path

import pytest

from jishi.paths import Paths
from jishi.shops import Shop, Shops
from ops.state import MARK, NotOurState, claim, empty, is_claimed


def test_an_absent_or_empty_folder_becomes_ours(tmp_path: Path) -> None:
    claim(tmp_path / "var")
    assert is_claimed(tmp_path / "var")


def test_a_folder_of_somebody_else_is_refused_and_kept(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("ten years of work")
    for act in (claim, empty):
        with pytest.raises(NotOurState, match=r"JISHI_VAR.*thesis\.tex"):
            act(tmp_path)
    assert (tmp_path / "thesis.tex").exists()


def test_what_single_parts_wrote_before_counts_as_ours(tmp_path: Path) -> None:
    (tmp_path / "landing" / "history").mkdir(parents=True)
    claim(tmp_path)
    assert is_claimed(tmp_path)


def test_emptying_keeps_the_mark_and_does_not_follow_links(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept").write_text("")
    var = tmp_path / "var"
    claim(var)
    (var / "lake" / "silver").mkdir(parents=True)
    (var / "link").symlink_to(outside)
    empty(var)
    assert [entry.name for entry in var.iterdir()] == [MARK]
    assert (outside / "kept").exists()


def test_a_shop_may_be_created_before_the_first_start(tmp_path: Path) -> None:
    with Shops.edit(tmp_path / "shops.json") as shops:
        shops.create(Shop(shop_id="a", name="a"))
    claim(tmp_path)
    assert is_claimed(tmp_path)


def test_every_place_of_the_layout_counts_as_ours(tmp_path: Path) -> None:
    paths = Paths(var=tmp_path, envs=tmp_path.parent / "envs")
    values = [getattr(paths, name) for name, value in vars(Paths).items() if isinstance(value, property)]
    for place in values:
        if isinstance(place, Path) and place != tmp_path and place.is_relative_to(tmp_path):
            (tmp_path / place.relative_to(tmp_path).parts[0]).mkdir(exist_ok=True)
    claim(tmp_path)
    assert is_claimed(tmp_path)
