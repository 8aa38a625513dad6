"""``jishi shops groups|models|report``: what pipelines ask of the registry, and what became of each shop."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from jishi.landing import ShopFacts, write_landing
from jishi.paths import Paths
from jishi.settings import get_settings
from jishi.shop_runs import ShopResult, ShopRuns
from jishi.shops import Shop, Shops
from ops.cli import app


@pytest.fixture
def paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Paths]:
    monkeypatch.setenv("JISHI_VAR", str(tmp_path / "var"))
    monkeypatch.setenv("JISHI_SHOP_GROUP_SIZE", "2")
    get_settings.cache_clear()
    paths = Paths.of(get_settings())
    with Shops.edit(paths.shops_file) as registry:
        for shop_id in ("c", "a", "b"):
            registry.add(Shop(shop_id=shop_id, name=shop_id))
    yield paths
    get_settings.cache_clear()


def shops(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["shops", *arguments], env={"COLUMNS": "150"})


def groups(*arguments: str) -> list[str]:
    return [group["SHOPS"] for group in json.loads(shops("groups", *arguments).output)]


def test_groups_are_of_the_registry_as_it_is_now(paths: Paths) -> None:
    assert groups() == ["--shop a", "--shop b --shop c"]
    with Shops.edit(paths.shops_file) as registry:
        registry.add(Shop(shop_id="d", name="d"))
    assert groups() == ["--shop a --shop b", "--shop c --shop d"]
    assert groups("--size", "9") == ["--shop a --shop b --shop c --shop d"]
    assert groups("--shop", "d", "--shop", "a", "--shop", "a") == ["--shop a --shop d"]
    assert "unknown shop 'typo'" in shops("groups", "--shop", "typo").output


def test_a_shop_with_models_from_tables_is_in_the_groups_of_tables(paths: Paths) -> None:
    assert groups("--models-from", "tables", "--size", "1") == []
    assert shops("models", "b", "tables").exit_code == 0
    assert groups("--models-from", "tables", "--size", "1") == ["--shop b"]
    assert groups("--models-from", "memory") == ["--shop a --shop c"]
    assert shops("models", "typo", "tables").exit_code == 2


def test_history_takes_shops_with_landing_files_registered_or_not(paths: Paths) -> None:
    for shop_id in ("a", "new"):
        with write_landing(paths.history, shop_id, ShopFacts(name="x", time_zone="UTC", currency="JPY"), "test") as writer:
            writer.write([b"{}"])
    assert groups("--landed") == ["--shop a --shop new"]
    assert groups("--landed", "--shop", "new", "--shop", "b") == ["--shop new"]
    assert "neither landing files nor registered" in shops("groups", "--landed", "--shop", "typo").output


@pytest.mark.parametrize(("state", "failed_tasks", "code"), [("done", "0", 0), ("done", "2", 1), ("failed", "0", 1)])
def test_the_report_names_who_failed_and_fails_for_it(paths: Paths, state: str, failed_tasks: str, code: int) -> None:
    ShopRuns(paths, "train", "daily.r1@2").record(ShopResult("a", state, "damaged file" if state == "failed" else ""))  # type: ignore[arg-type]
    result = shops("report", "daily.r1", "--failed-tasks", failed_tasks)
    assert result.exit_code == code
    assert ("damaged file" in result.output) == (state == "failed")
