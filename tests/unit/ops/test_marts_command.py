"""``python -m ops.marts build`` on a platform on which no shop has sent anything yet."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from jishi.lake.reading import open_version
from jishi.settings import get_settings
from jishi.shops import Shops
from jishi.tables import BRONZE_FX_RATES, SILVER_ORDERS
from ops.marts import main
from ops.marts_file import inputs_of
from tests.lake import record, settings_in


def test_before_the_first_silver_there_is_nothing_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("JISHI_VAR", str(tmp_path / "var"))
    monkeypatch.setattr(sys, "argv", ["marts", "build"])
    get_settings.cache_clear()
    try:
        assert main() == 99  # a task that ends so is skipped, not failed
    finally:
        get_settings.cache_clear()
    assert "silver has no published tables" in capsys.readouterr().err


def test_new_rates_are_a_reason_to_build_the_marts_again(tmp_path: Path) -> None:
    record(tmp_path, {SILVER_ORDERS: [{"shop_id": "a", "order_id": "o"}]})
    before = inputs_of(open_version(settings_in(tmp_path)), Shops())
    record(tmp_path, {BRONZE_FX_RATES: [{"shop_id": "a", "currency": "USD"}]})
    assert inputs_of(open_version(settings_in(tmp_path)), Shops()) != before
