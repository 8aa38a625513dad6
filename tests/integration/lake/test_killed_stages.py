"""A kill in the middle of a stage: readers have the version before or the new one, and the stage run again makes it whole."""

from __future__ import annotations

import hashlib
from itertools import count
from pathlib import Path

import pytest

from jishi.lake.query import open_lake
from jishi.lake.reading import open_version
from jishi.marts import mart_rows
from jishi.paths import Paths
from jishi.settings import Settings
from jishi.shops import Shops
from tests.integration.lake import killed_publishes as script
from tests.lake import settings_in

pytestmark = pytest.mark.integration
STRIDE = 11  # every eleventh place; a place is a sync or move of a file, or a commit of records


def imported(settings: Settings, shop_id: str) -> int:
    with open_lake(open_version(settings)) as lake:
        return lake.execute("select count(*) from bronze_history where shop_id = ?", [shop_id]).fetchall()[0][0]


def test_an_import_is_there_whole_or_not_at_all(tmp_path: Path) -> None:
    settings = settings_in(tmp_path / "var")
    var, before, views = str(settings.var), 1, 1
    script.import_history(var, "a", views)
    for killed in count():
        views += 1
        code = script.run_killed(script.die_at, 1 + STRIDE * killed, script.import_history, var, "a", views)
        assert imported(settings, "a") in {before, views}
        if code == 0:
            break
        script.import_history(var, "a", before := views + 1)
        assert imported(settings, "a") == before
        assert Shops.load(Paths.of(settings).shops_file).get("a").name == f"{before} views"
    assert killed >= 2


def features_and_marts(settings: Settings) -> tuple[int, int]:
    """The number that the daily features and the marts of the newest version say; the file is what its record says it is."""
    version = open_version(settings)
    with open_lake(version) as lake:
        [(features,)] = lake.execute("select orders_30d from features_person_daily").fetchall()
    assert version.record is not None
    assert version.record.marts is not None
    assert version.marts is not None
    assert hashlib.sha256(version.marts.read_bytes()).hexdigest() == version.record.marts.sha256
    [row] = mart_rows(version, "select orders_30d from fct_orders")
    return features, row["orders_30d"]


def test_marts_and_daily_features_are_of_one_build(tmp_path: Path) -> None:
    settings = settings_in(tmp_path / "var")
    var, before, number = str(settings.var), 1, 1
    script.publish_shop(settings, "a", "old")
    script.publish_build(var, number)
    for killed in count():
        number += 1
        code = script.run_killed(script.die_at, 1 + STRIDE * killed, script.publish_build, var, number)
        assert features_and_marts(settings) in {(before, before), (number, number)}
        if code == 0:
            break
        number += 1
        script.publish_build(var, before := number)
        assert features_and_marts(settings) == (number, number)
        assert Paths.of(settings).marts.resolve() == open_version(settings).marts
    assert killed >= 2
