"""A platform whose shops have sent nothing yet has no features to make, which is no failure."""

from __future__ import annotations

from pathlib import Path

import pytest

from feature_repo.__main__ import NOTHING_TO_DO, main
from jishi.settings import get_settings
from jishi.shops import Shop, Shops


def test_daily_features_of_an_empty_lake_are_nothing_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("JISHI_VAR", str(tmp_path / "var"))
    get_settings.cache_clear()
    with Shops.edit(tmp_path / "var" / "shops.json") as shops:
        shops.create(Shop(shop_id="bare", name="bare"))
    assert main(["daily", "--as-of", "2026-11-20T00:00:00Z", "--shop", "bare"]) == NOTHING_TO_DO
    assert "no shop has sent anything" in capsys.readouterr().err
    get_settings.cache_clear()
