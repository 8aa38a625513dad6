"""``python -m ops.marts build`` on a platform on which no shop has sent anything yet."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from jishi.settings import get_settings
from ops.marts import main


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
