"""``jishi shops create``: a shop with keys that work, in every schedule; wrong input names the option and the fix."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from jishi.paths import Paths
from jishi.settings import get_settings
from jishi.shops import Shops
from ops.cli import app

GOOD = {"--currency": "EUR", "--time-zone": "Europe/Berlin", "--name": "Käse & Brot"}


@pytest.fixture
def paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Paths]:
    monkeypatch.setenv("JISHI_VAR", str(tmp_path / "var"))
    get_settings.cache_clear()
    yield Paths.of(get_settings())
    get_settings.cache_clear()


def create(shop_id: str, *more: str, **changes: str) -> Result:
    options = GOOD | {f"--{name.replace('_', '-')}": value for name, value in changes.items()}
    words = [word for pair in options.items() for word in pair]
    return CliRunner().invoke(app, ["shops", "create", shop_id, *words, *more], env={"COLUMNS": "200", "TERM": "dumb"})


def test_a_new_shop_has_four_keys_that_are_shown_once_and_work(paths: Paths) -> None:
    result = create("my-shop")
    assert result.exit_code == 0, result.output
    shops = Shops.load(paths.shops_file)
    shop = shops.get("my-shop")
    assert (shop.name, shop.currency, shop.time_zone) == ("Käse & Brot", "EUR", "Europe/Berlin")
    words = ("write", "read", "page", "test")
    keys = dict(re.findall(r"^  (\w+)\s+(jk_\S+)", result.output, re.MULTILINE))
    assert tuple(keys) == words
    rights = {word: next(r for r in ("write", "read", "track") if shops.shop_of_key(text, r)) for word, text in keys.items()}
    assert rights == {"write": "write", "read": "read", "page": "track", "test": "write"}
    assert [key.is_test for key in shop.keys] == [False, False, False, True]
    stored = paths.shops_file.read_text()
    assert not any(text in stored for text in keys.values())
    groups = CliRunner().invoke(app, ["shops", "groups"]).output
    assert [group["SHOPS"] for group in json.loads(groups)] == ["--shop my-shop"]


def test_the_same_id_again_is_refused_and_changes_nothing(paths: Paths) -> None:
    create("my-shop")
    before = paths.shops_file.read_text()
    again = create("my-shop", currency="JPY", name="other")
    assert again.exit_code == 2
    assert "exists already" in again.output
    assert "jishi keys create my-shop" in again.output
    assert paths.shops_file.read_text() == before


def test_json_holds_shop_and_keys(paths: Paths) -> None:
    payload = json.loads(create("s2", "--json").output)
    assert payload["shop_id"] == "s2"
    assert set(payload["keys"]) == {"write", "read", "page", "test"}


@pytest.mark.parametrize(
    ("shop_id", "changes", "option", "fix"),
    [
        ("My Shop", {}, "SHOP_ID", "lower-case"),
        ("a" * 65, {}, "SHOP_ID", "1 to 64"),
        ("x", {"currency": "eur"}, "--currency", "is EUR meant"),
        ("x", {"currency": "ZZZ"}, "--currency", "ISO 4217"),
        ("x", {"currency": "FRF"}, "--currency", "no active"),
        ("x", {"time_zone": "Shanghai"}, "--time-zone", "Asia/Shanghai"),
        ("x", {"time_zone": "Asia"}, "--time-zone", "IANA"),
        ("x", {"time_zone": "../etc"}, "--time-zone", "IANA"),
        ("x", {"time_zone": ""}, "--time-zone", "IANA"),
        ("x", {"name": "  "}, "--name", "printable"),
        ("x", {"name": "a\nb"}, "--name", "printable"),
        ("x", {"orders_from": "app"}, "--orders-from", "server or page"),
    ],
)
def test_wrong_input_names_the_option_and_the_fix(
    paths: Paths, shop_id: str, changes: dict[str, str], option: str, fix: str
) -> None:
    result = create(shop_id, **changes)
    assert result.exit_code == 2
    assert option in result.output
    assert fix in re.sub(r"[\s│]+", " ", result.output)
    assert not paths.shops_file.exists() or Shops.load(paths.shops_file).shops == {}


def test_currency_and_zone_are_asked_for(paths: Paths) -> None:
    result = CliRunner().invoke(app, ["shops", "create", "x"], env={"COLUMNS": "200", "TERM": "dumb"})
    assert result.exit_code == 2
    assert "--currency" in result.output
