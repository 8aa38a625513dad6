"""Shops and keys."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pyiceberg.transforms import BucketTransform
from pyiceberg.types import StringType

from jishi.lake.buckets import by_bucket
from jishi.shops import RegistryInvalid, Shop, Shops, UnknownShop, in_groups
from jishi.tables.schema import BUCKETS


def test_a_key_opens_its_own_shop_and_right_only(tmp_path: Path) -> None:
    shops = Shops()
    for shop_id in ("a", "b"):
        shops.add(Shop(shop_id=shop_id, name=shop_id))
    write, read = shops.issue_key("a", "write"), shops.issue_key("b", "read")
    shops.save(tmp_path / "shops.json")
    stored = (tmp_path / "shops.json").read_text()
    assert write not in stored
    assert read not in stored
    loaded = Shops.load(tmp_path / "shops.json")
    result = loaded.shop_of_key(write, "write")
    assert result is not None
    assert result.shop_id == "a"
    assert loaded.shop_of_key(write, "read") is None
    assert loaded.shop_of_key(read, "write") is None
    assert loaded.shop_of_key("", "read") is None


def test_registering_again_keeps_the_keys() -> None:
    shops = Shops()
    shops.add(Shop(shop_id="a", name="old"))
    key = shops.issue_key("a", "write")
    shops.add(Shop(shop_id="a", name="new"))
    result = shops.shop_of_key(key, "write")
    assert result is not None
    assert result.name == "new"


def test_an_unknown_shop_is_named_with_the_known_ones() -> None:
    shops = Shops()
    shops.add(Shop(shop_id="a", name="a"))
    with pytest.raises(UnknownShop, match="unknown shop 'x'; known: a"):
        shops.get("x")
    shops.add(Shop(shop_id="lanting", name="b"))
    with pytest.raises(UnknownShop, match="unknown shop 'lantign', perhaps 'lanting'; known: a, lanting"):
        shops.get("lantign")


def test_groups_hold_every_shop_once_and_are_of_nearly_one_size() -> None:
    shops = Shops()
    for number in range(1000):
        shops.add(Shop(shop_id=f"s{number:04}", name="x"))
    groups = in_groups(shops.of_models(None), 150)
    assert len(groups) == 7
    assert {len(group) for group in groups} == {142, 143}
    assert [shop_id for group in groups for shop_id in group] == sorted(shops.shops)
    assert in_groups(Shops().of_models(None), 150) == []


def test_groups_by_bucket_share_the_files_of_few_buckets() -> None:
    """Sixteen buckets in four groups: each has five at most, so that no bucket is of more than two groups."""
    shop_ids = [f"s{number:04}" for number in range(1000)]
    assert sorted(by_bucket(reversed(shop_ids))) == shop_ids
    bucket = BucketTransform(BUCKETS).transform(StringType())
    groups = [{bucket(shop_id) for shop_id in group} for group in in_groups(by_bucket(shop_ids), 250)]
    assert max(map(len, groups)) <= 5
    assert sum(map(len, groups)) <= BUCKETS + 3


def test_where_models_come_from_is_set_by_shop_and_stays_when_it_registers_again() -> None:
    shops = Shops()
    shops.add(Shop(shop_id="a", name="A"))
    shops.add(Shop(shop_id="b", name="B"))
    shops.choose_models("b", "tables")
    shops.add(Shop(shop_id="b", name="B again"))
    assert shops.of_models("tables") == ["b"]
    assert shops.of_models("memory") == ["a"]
    with pytest.raises(UnknownShop):
        shops.choose_models("c", "tables")


def test_what_newer_code_wrote_stays_in_the_registry(tmp_path: Path) -> None:
    file = tmp_path / "shops.json"
    shops = Shops()
    shops.add(Shop(shop_id="a", name="a"))
    shops.issue_key("a", "write")
    shops.save(file)
    newer = json.loads(file.read_text())
    newer["written_by"] = "2.0"
    shop = newer["shops"]["a"]
    shop |= {"country": "CN", "quiet_hours": {"begins": 22, "ends": 7, "days": ["mon"]}}
    shop["keys"][0]["expires_at"] = "2027-01-01T00:00:00Z"
    for block in ("funnel", "customers", "items"):
        shop[block]["newer"] = {"deep": [1]}
    file.write_text(json.dumps(newer))
    with Shops.edit(file) as shops:
        shops.add(Shop(shop_id="a", name="renamed"))
        shops.limit("a", 7)
        shops.add(Shop(shop_id="b", name="b"))
    written = json.loads(file.read_text())
    assert written["shops"].pop("b")["name"] == "b"
    shop |= {"name": "renamed", "events_per_s": 7}
    assert written == newer
    with Shops.edit(file) as shops:
        shops.set_quiet_hours("a", None)
    assert json.loads(file.read_text())["shops"]["a"]["quiet_hours"] is None


def test_a_registry_that_this_code_cannot_read_is_refused_with_place_and_fix(tmp_path: Path) -> None:
    file = tmp_path / "shops.json"
    content = '{"shops": {"a": {"shop_id": "a", "name": "a", "state": "archived"}}}'
    file.write_text(content)
    with pytest.raises(RegistryInvalid, match=r"shops\.json: shops\.a\.state: .*; mend it, or use the code that wrote it"):
        Shops.load(file)
    with pytest.raises(RegistryInvalid), Shops.edit(file):
        pass
    assert file.read_text() == content
