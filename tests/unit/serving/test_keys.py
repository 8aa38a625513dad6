"""A read key opens its own shop and tells nothing of any other."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from jishi.shops import Shop, Shops
from serving.keys import ForeignShop, ReadKeys, Unauthorised


@pytest.fixture
def registry(tmp_path: Path) -> tuple[Path, dict[str, str]]:
    shops = Shops()
    texts = {}
    for shop_id in ("a", "b"):
        shops.add(Shop(shop_id=shop_id, name=shop_id))
        texts[shop_id] = shops.issue_key(shop_id, "read")
    texts["write-a"] = shops.issue_key("a", "write")
    shops.save(tmp_path / "shops.json")
    return tmp_path / "shops.json", texts


def test_the_right_key_opens_its_shop(registry: tuple[Path, dict[str, str]]) -> None:
    file, texts = registry
    keys = ReadKeys(file)
    keys.reload()
    assert keys.authorise(f"Bearer {texts['a']}", "a").shop_id == "a"
    assert keys.authorise(f"bearer  {texts['a']} ", "a").shop_id == "a"


def test_no_key_a_wrong_key_and_a_write_key_are_refused_alike(registry: tuple[Path, dict[str, str]]) -> None:
    file, texts = registry
    keys = ReadKeys(file)
    for header in (
        None,
        "",
        "Bearer",
        "Bearer ",
        "Basic abc",
        f"Basic {texts['a']}",
        "Bearer wrong",
        f"Bearer {texts['write-a']}",
    ):
        for shop_id in ("a", "no-such-shop"):
            with pytest.raises(Unauthorised):
                keys.authorise(header, shop_id)


def test_a_foreign_shop_and_one_that_does_not_exist_are_told_alike(registry: tuple[Path, dict[str, str]]) -> None:
    file, texts = registry
    keys = ReadKeys(file)
    answers = []
    for shop_id in ("b", "no-such-shop"):
        with pytest.raises(ForeignShop) as error:
            keys.authorise(f"Bearer {texts['a']}", shop_id)
        answers.append(str(error.value))
    assert answers[0] == answers[1]


def test_a_new_key_works_without_a_restart_and_a_broken_file_leaves_the_old_ones(registry: tuple[Path, dict[str, str]]) -> None:
    file, texts = registry
    keys = ReadKeys(file)
    keys.reload()
    shops = Shops.load(file)
    new = shops.issue_key("a", "read")
    shops.save(file)
    assert keys.authorise(f"Bearer {new}", "a").shop_id == "a"
    file.write_text("{broken")
    assert not keys.reload()
    assert keys.problem is not None
    assert keys.authorise(f"Bearer {texts['a']}", "a").shop_id == "a"


def test_a_rotated_key_ends_the_old_one_also_where_size_and_time_of_the_file_stay(tmp_path: Path) -> None:
    file, now = tmp_path / "shops.json", datetime(2026, 12, 1, tzinfo=UTC)
    with Shops.edit(file) as shops:
        shops.add(Shop(shop_id="a", name="a"))
        old = shops.issue_key("a", "read", now=now)
    keys, before = ReadKeys(file), file.stat()
    keys.reload()
    with Shops.edit(file) as shops:
        new = shops.rotate_keys("a", "read", now=now)
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert file.stat().st_size == before.st_size
    assert keys.reload()
    assert keys.authorise(f"Bearer {new}", "a").shop_id == "a"
    with pytest.raises(Unauthorised):
        keys.authorise(f"Bearer {old}", "a")


def test_before_any_registry_every_key_is_refused(tmp_path: Path) -> None:
    keys = ReadKeys(tmp_path / "shops.json")
    assert not keys.reload()
    with pytest.raises(Unauthorised):
        keys.authorise("Bearer x", "a")
