"""Forecasts against what happened, added up from the groups of the marts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import pytest

from jishi.lake import TableNotPublished
from quality.backtest import backtest
from tests.lake import newest, record

COLUMNS = (
    "shop_id varchar, repeat_purchases integer, as_of_date date, cut_date date, held_out_days integer, customers bigint, "
    "expected_purchases double, expected_purchases_low double, expected_purchases_high double, actual_purchases double"
)


def lake_with(folder: Path, *groups: str) -> Any:
    """A version whose marts are a file with these groups of customers."""
    from dataclasses import replace

    from jishi.lake.versions import MartsFile, Versions
    from jishi.paths import Paths
    from tests.lake import settings_in

    version, settings = record(folder, {}), settings_in(folder)
    file = Paths.of(settings).marts_files / "1.duckdb"
    file.parent.mkdir(parents=True)
    with duckdb.connect(str(file)) as connection:
        connection.execute(f"create table fct_value_calibration ({COLUMNS})")
        for group in groups:
            connection.execute(f"insert into fct_value_calibration values ({group})")
    marts = MartsFile("marts/1.duckdb", "0" * 64, 1)
    Versions.of(settings).commit(replace(version, number=version.number + 1, base=version.number, marts=marts))
    return newest(folder)


def test_groups_are_added_up_and_a_forecast_that_is_off_by_more_than_half_is_named(tmp_path: Path) -> None:
    dates = "'2026-11-20', '2026-08-20', 92"
    lake = lake_with(
        tmp_path,
        f"'good', 0, {dates}, 100, 0.5, 0.4, 0.6, 0.55",
        f"'good', 1, {dates}, 50, 2.0, 1.8, 2.2, 2.5",
        f"'off', 0, {dates}, 100, 0.5, 0.4, 0.6, 1.5",
        f"'small', 0, {dates}, 9, 0.5, 0.4, 0.6, 5.0",
    )
    good, off, small = backtest(lake)
    assert (good.customers, good.expected, good.actual, good.groups_within, good.groups) == (150, 150, pytest.approx(180), 1, 2)
    assert [each.shop_id for each in (good, off, small) if each.is_off] == ["off"]
    assert [each.shop_id for each in backtest(lake, ["small"])] == ["small"]


def test_without_marts_it_says_which_command_makes_them(tmp_path: Path) -> None:
    record(tmp_path, {})
    with pytest.raises(TableNotPublished, match=r"python -m ops\.marts build"):
        backtest(newest(tmp_path))
