"""The settings file for people lists every setting with its true default."""

from __future__ import annotations

from pathlib import Path

import pytest

from jishi.settings import PROJECT_ROOT, Settings


def test_example_file_lists_every_setting_with_its_default() -> None:
    text = (PROJECT_ROOT / "settings.example.env").read_text()
    for name, field in Settings.model_fields.items():
        shown = field.default.name if isinstance(field.default, Path) else field.default
        assert f"# {field.description}\n# JISHI_{name.upper()}={shown}\n" in text, f"settings.example.env lacks {name}"


def test_a_variable_changes_a_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JISHI_SERVING_PORT", "4711")
    assert Settings().serving_port == 4711
