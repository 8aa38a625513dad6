"""``jishi gates``: who is held back and why, and what a person accepts."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from jishi.held_back import GateFinding, GatesUnreadable, accepted, all_held_back, hold, release
from jishi.paths import Paths
from jishi.settings import get_settings
from jishi.shops import Shop, Shops
from ops.cli import app

NOW = datetime(2026, 11, 21, 3, tzinfo=UTC)
REFUSED = GateFinding(
    "volume", "silver/events", "live-2026-11-20", "3 events, usually 900", ("the day before: 870",), "jishi …"
)


@pytest.fixture
def paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Paths]:
    monkeypatch.setenv("JISHI_VAR", str(tmp_path / "var"))
    get_settings.cache_clear()
    paths = Paths.of(get_settings())
    with Shops.edit(paths.shops_file) as registry:
        registry.add(Shop(shop_id="a", name="a"))
    yield paths
    get_settings.cache_clear()


def gates(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["gates", *arguments], env={"COLUMNS": "150"})


def test_a_shop_is_listed_until_its_build_passes(paths: Paths) -> None:
    assert (gates("list").exit_code, gates("list").output) == (0, "no shop is held back\n")
    hold(paths, "a", [REFUSED], NOW)
    hold(paths, "a", [REFUSED], NOW.replace(day=22))  # refused again: it is held since the first time
    shown = gates("list")
    assert shown.exit_code == 1
    for text in ("a, since 2026-11-21T03:00:00Z", "volume: live-2026-11-20", "the day before: 870", "repair: jishi …"):
        assert text in shown.output
    assert json.loads(gates("list", "--json").output)[0]["findings"][0]["check"] == "volume"
    release(paths, "a")
    assert gates("list").exit_code == 0


def test_what_is_accepted_is_kept_by_shop_day_and_check(paths: Paths) -> None:
    assert accepted(paths) == set()
    accept = ("accept", "--date", "2026-11-20", "--check", "volume", "--reason", "closed for repairs", "--shop")
    assert gates(*accept, "stranger").exit_code == 2
    assert "silver --batch live-2026-11-20 --shop a" in gates(*accept, "a").output
    assert accepted(paths) == {("a", "live-2026-11-20", "volume")}
    assert gates("accept", "--shop", "a", "--date", "2026-11-20", "--check", "ids", "--reason", "x").exit_code == 2


def test_a_file_that_is_damaged_is_named(paths: Paths) -> None:
    hold(paths, "a", [REFUSED], NOW)
    (paths.gates / "held" / "a.json").write_text("{")
    with pytest.raises(GatesUnreadable, match=r"a\.json.*delete the file"):
        list(all_held_back(paths))
