"""The demo's shops get keys of their own clients, and open their storefronts with the publishable one alone."""

from __future__ import annotations

import json
from pathlib import Path

from jishi.paths import Paths
from jishi.settings import OWN_FILE, Settings
from jishi.shops import Shops
from ops.demo.tenants import open_storefronts, register


def test_storefronts_are_opened_by_track_keys_that_a_second_run_keeps(tmp_path: Path) -> None:
    paths = Paths.of(Settings(var=tmp_path, _env_file=None))  # type: ignore[call-arg]
    keys = register(paths, ("lanting", "journey"))
    assert register(paths, ("lanting", "journey")) == keys
    open_storefronts(paths, keys)
    settings = Settings(_env_file=paths.var / OWN_FILE)  # type: ignore[call-arg]
    assert settings.storefront_shoppers.startswith("u00000,u00001,")
    opened = settings.storefront_keys.split(",")
    shops = Shops.load(paths.shops_file)
    owners = [shop for key in opened if (shop := shops.shop_of_key(key, "track")) is not None]
    assert [shop.shop_id for shop in owners] == ["lanting", "journey"]
    secrets = {text for of_shop in json.loads(paths.client_keys_file.read_text()).values() for text in of_shop.values()}
    assert len(secrets - set(opened)) == 4  # a write and a read key each


def test_a_registry_from_before_gets_what_it_lacks(tmp_path: Path) -> None:
    paths = Paths.of(Settings(var=tmp_path, _env_file=None))  # type: ignore[call-arg]
    before = register(paths, ("lanting",))["lanting"]
    held = json.loads(paths.client_keys_file.read_text())
    del held["lanting"]["track"]
    paths.client_keys_file.write_text(json.dumps(held))
    after = register(paths, ("lanting",))["lanting"]
    assert (after.write, after.read) == (before.write, before.read)
    assert Shops.load(paths.shops_file).get("lanting").has_key(after.track, "track")
