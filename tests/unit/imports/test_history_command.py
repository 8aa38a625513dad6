"""``imports history`` over several shops: a shop whose files are wrong is left out, the others are published."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest
from typer.testing import CliRunner, Result

from imports.__main__ import app
from jishi.landing import LandingError, ShopFacts, write_landing
from jishi.paths import Paths
from jishi.settings import get_settings
from jishi.shop_runs import read_run
from jishi.shops import Shop, Shops
from tests.lake import newest

FACTS = ShopFacts(name="店", time_zone="Asia/Tokyo", currency="JPY")


@pytest.fixture
def paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Paths]:
    monkeypatch.setenv("JISHI_VAR", str(tmp_path / "var"))
    get_settings.cache_clear()
    yield Paths.of(get_settings())
    get_settings.cache_clear()


def land(paths: Paths, shop_id: str, events: int) -> None:
    with write_landing(paths.history, shop_id, FACTS, "test") as writer:
        for number in range(events):
            event = {"event_id": f"e{number}", "shop_id": shop_id, "type": "item_viewed", "user_id": "u"}
            writer.write([orjson.dumps(event | {"occurred_at": "2026-09-01T10:00:00Z", "properties": {"item_id": "i"}})])


def history(*shops: str, run: str = "r") -> Result:
    arguments = ["history", "--processes", "1", "--run", run, *(text for shop in shops for text in ("--shop", shop))]
    return CliRunner().invoke(app, arguments, env={"COLUMNS": "200"})


def published(paths: Paths) -> dict[str, int]:
    """Events of history by shop, as a reader of the lake sees them."""
    from jishi.lake.query import open_lake

    with open_lake(newest(paths.var)) as connection:
        return dict(connection.execute("select shop_id, count(*) from bronze_history group by 1 order by 1").fetchall())


def test_a_shop_with_wrong_files_keeps_its_old_rows_and_the_retry_takes_up_that_shop_only(paths: Paths) -> None:
    for shop_id in ("a", "b", "c"):
        land(paths, shop_id, 2)
    assert history("a", "b", "c", run="first").exit_code == 0
    for shop_id in ("a", "b", "c"):
        land(paths, shop_id, 3)
    file = paths.history / "b" / "events-00000.jsonl"
    whole = file.read_bytes()
    file.write_bytes(whole.replace(b"e2", b"e9"))
    result = history("a", "b", "c")
    assert result.exit_code == 3
    assert "events-00000.jsonl: sha256 is" in result.output
    assert published(paths) == {"a": 3, "b": 2, "c": 3}
    file.write_bytes(whole)
    result = history("a", "b", "c")
    assert result.exit_code == 0
    assert "1 done, 0 with nothing to do, 0 failed, 2 finished before" in result.output
    assert published(paths) == {"a": 3, "b": 3, "c": 3}


def test_a_registered_shop_without_landing_files_has_nothing_to_do(paths: Paths) -> None:
    with Shops.edit(paths.shops_file) as shops:
        shops.add(Shop(shop_id="new", name="new"))
    land(paths, "a", 1)
    assert history("a", "new").exit_code == 0
    states = {shop_id: result.state for shop_id, result in read_run(paths, "r")["history"].items()}
    assert states == {"a": "done", "new": "nothing to do"}


def test_a_shop_that_nobody_knows_is_an_error(paths: Paths) -> None:
    result = history("typo")
    assert result.exit_code == 1
    assert json.dumps(str(paths.history))[1:-1] in result.output.replace("\n", "")


def test_without_any_landing_file_and_any_name_it_says_what_to_do(paths: Paths) -> None:
    result = history()
    assert isinstance(result.exception, LandingError)
    assert "no landing files below" in str(result.exception)
