"""``jishi keys``: made, listed, rotated, revoked; what is stored never opens anything."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from jishi.funnel_rules import FunnelRules
from jishi.quiet_hours import QuietHours
from jishi.settings import get_settings
from jishi.shops import Shop, Shops
from ops.cli import app


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    monkeypatch.setenv("JISHI_VAR", str(tmp_path))
    get_settings.cache_clear()
    with Shops.edit(tmp_path / "shops.json") as shops:
        shops.add(Shop(shop_id="a", name="a"))

    def invoke(*arguments: str, code: int = 0) -> str:
        result = CliRunner().invoke(app, ["keys", *arguments], env={"COLUMNS": "200"})
        assert result.exit_code == code, result.output
        return result.output.strip()

    return invoke


def owner(folder: Path, key: str) -> str | None:
    shops = Shops.load(folder / "shops.json")
    return next((right for right in ("write", "read", "track") if shops.shop_of_key(key, right)), None)


def test_a_key_lives_from_create_to_revoke(run: Callable[..., str], tmp_path: Path) -> None:
    key = run("create", "a")
    site = run("create", "a", "--right", "track", "--origin", "https://Shop.example/")
    assert (owner(tmp_path, key), owner(tmp_path, site)) == ("write", "track")
    listed = run("list")
    assert "https://shop.example" in listed
    stored = json.loads((tmp_path / "shops.json").read_text())["shops"]["a"]["keys"]
    assert all(entry["key_id"] in listed for entry in stored)
    assert key not in listed + json.dumps(stored)
    assert "revoked write key" in run("revoke", stored[0]["key_id"])
    assert owner(tmp_path, key) is None
    assert "no key has the id" in run("revoke", stored[0]["key_id"], code=2)


def test_rotating_ends_the_old_keys_of_that_right_only(run: Callable[..., str], tmp_path: Path) -> None:
    old, read, site = (
        run("create", "a"),
        run("create", "a", "--right", "read"),
        run("create", "a", "--right", "track", "--origin", "http://x"),
    )
    kept = run("rotate", "a", "--keep-old")
    assert owner(tmp_path, old) == owner(tmp_path, kept) == "write"
    new = run("rotate", "a")
    assert [owner(tmp_path, key) for key in (old, kept, new, read)] == [None, None, "write", "read"]
    run("rotate", "a", "--right", "track")
    assert owner(tmp_path, site) is None
    assert "http://x" in run("list"), "the sites stay with the new key"


def test_a_rotated_key_is_for_every_site_of_those_before(run: Callable[..., str], tmp_path: Path) -> None:
    run("create", "a", "--right", "track")
    run("create", "a", "--right", "track", "--origin", "http://x")
    run("rotate", "a", "--right", "track")
    [key] = Shops.load(tmp_path / "shops.json").get("a").keys
    assert key.origins == [], "one of them was for all sites"


def test_what_cannot_be_is_refused_by_name(run: Callable[..., str]) -> None:
    assert "choose write, read or track" in run("create", "a", "--right", "all", code=2)
    assert "is no site" in run("create", "a", "--right", "track", "--origin", "shop.example", code=2)
    assert "only a track key" in run("create", "a", "--origin", "http://x", code=2)
    assert "unknown shop 'b'" in run("rotate", "b", code=2)


def test_editors_at_the_same_time_lose_nothing(tmp_path: Path) -> None:
    file = tmp_path / "shops.json"
    with Shops.edit(file) as shops:
        shops.add(Shop(shop_id="a", name="a"))

    def issue() -> None:
        for _ in range(10):
            with Shops.edit(file) as shops:
                shops.issue_key("a", "write")

    threads = [threading.Thread(target=issue) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(Shops.load(file).get("a").keys) == 40


def test_a_shop_has_its_own_limit_until_it_has_not(
    tmp_path: Path, run: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run("create", "a", "--right", "read")

    def shops(*arguments: str) -> str:
        return CliRunner().invoke(app, ["shops", *arguments], env={"COLUMNS": "200"}).output

    assert "20,000 (common)" in shops("list")
    assert "a: 500 events a second" in shops("limit", "a", "--events-per-s", "500")
    assert " 500 " in shops("list")
    assert "1 read" in shops("list")
    with Shops.edit(tmp_path / "shops.json") as registry:
        registry.add(Shop(shop_id="a", name="registered again"))
    assert Shops.load(tmp_path / "shops.json").get("a").events_per_s == 500
    assert "the common limit" in shops("limit", "a")
    assert "20,000 (common)" in shops("list")
    assert "unknown shop 'x'; known: a" in shops("limit", "x")
    assert "Invalid value for '--events-per-s'" in shops("limit", "a", "--events-per-s", "0")


def test_a_shop_says_whose_orders_count(tmp_path: Path, run: Callable[..., str]) -> None:
    run("create", "a", "--right", "track")

    def shops(*arguments: str) -> str:
        return CliRunner().invoke(app, ["shops", *arguments], env={"COLUMNS": "200"}).output

    assert Shops.load(tmp_path / "shops.json").get("a").orders_from == "server"
    assert "a: orders of its page count" in shops("orders", "a", "page")
    with Shops.edit(tmp_path / "shops.json") as registry:
        registry.add(Shop(shop_id="a", name="registered again"))
    assert Shops.load(tmp_path / "shops.json").get("a").orders_from == "page"
    assert "choose server or page" in shops("orders", "a", "import")
    assert "unknown shop 'x'; known: a" in shops("orders", "x", "page")


def test_a_shop_says_when_its_visits_end(tmp_path: Path, run: Callable[..., str]) -> None:
    run("create", "a", "--right", "track")

    def shops(*arguments: str) -> str:
        return CliRunner().invoke(app, ["shops", *arguments], env={"COLUMNS": "200"}).output

    assert "and at midnight" in shops("visits", "a", "midnight")
    with Shops.edit(tmp_path / "shops.json") as registry:
        registry.add(Shop(shop_id="a", name="registered again"))
    assert Shops.load(tmp_path / "shops.json").get("a").visits_end_at_midnight
    assert "choose pause or midnight" in shops("visits", "a", "noon")


def test_a_shop_has_quiet_hours_and_keeps_them_when_it_is_registered_again(tmp_path: Path, run: Callable[..., str]) -> None:
    run("create", "a", "--right", "track")

    def shops(*arguments: str) -> str:
        return CliRunner().invoke(app, ["shops", *arguments], env={"COLUMNS": "200"}).output

    assert "a: no alert from 22:00 to 8:00" in shops("quiet", "a", "22", "8")
    with Shops.edit(tmp_path / "shops.json") as registry:
        registry.add(Shop(shop_id="a", name="registered again"))
    assert Shops.load(tmp_path / "shops.json").get("a").quiet_hours == QuietHours(begins=22, ends=8)
    assert "ends: Input should be a valid integer" in shops("quiet", "a", "22")
    assert "less than or equal to 23" in shops("quiet", "a", "22", "24")
    assert "unknown shop 'x'; known: a" in shops("quiet", "x", "22", "8")
    assert "a: no quiet hours" in shops("quiet", "a")
    assert Shops.load(tmp_path / "shops.json").get("a").quiet_hours is None


def test_a_shop_says_which_acts_are_steps_of_its_funnel(tmp_path: Path, run: Callable[..., str]) -> None:
    run("create", "a", "--right", "track")

    def shops(*arguments: str) -> str:
        return CliRunner().invoke(app, ["shops", *arguments], env={"COLUMNS": "200"}).output

    def rules() -> FunnelRules:
        return Shops.load(tmp_path / "shops.json").get("a").funnel

    assert rules() == FunnelRules(in_order=True, window_minutes=None)
    assert "steps in any order, within 90 minutes of the first view" in shops("funnel", "a", "any", "--within", "90")
    with Shops.edit(tmp_path / "shops.json") as registry:
        registry.add(Shop(shop_id="a", name="registered again"))
    assert rules() == FunnelRules(in_order=False, window_minutes=90)
    assert "choose strict or any" in shops("funnel", "a", "loose")
    assert "minutes, from 1 to 1440" in shops("funnel", "a", "strict", "--within", "0")
    assert "unknown shop 'x'" in shops("funnel", "x", "strict")
    assert rules() == FunnelRules(in_order=False, window_minutes=90)
    assert "each step after the one before it, to the end of the visit" in shops("funnel", "a", "strict")
    assert rules() == FunnelRules()


def test_a_test_key_sends_and_says_so(run: Callable[..., str], tmp_path: Path) -> None:
    key = run("create", "a", "--test")
    assert owner(tmp_path, key) == "write"
    assert Shops.load(tmp_path / "shops.json").get("a").keys[0].is_test
    assert "write (test)" in run("list")
    assert "sends nothing" in run("create", "a", "--right", "read", "--test", code=2)
    run("rotate", "a")  # another write key; the test key stays
    assert owner(tmp_path, key) == "write"
