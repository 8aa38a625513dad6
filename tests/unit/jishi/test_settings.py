"""The settings file for people lists every setting with its true default."""

from __future__ import annotations

from pathlib import Path

import pytest

from jishi.settings import PROJECT_ROOT, Settings, get_settings


def test_example_file_lists_every_setting_with_its_default() -> None:
    text = (PROJECT_ROOT / "settings.example.env").read_text()
    for name, field in Settings.model_fields.items():
        shown = field.default.name if isinstance(field.default, Path) else field.default
        assert f"# {field.description}\n# JISHI_{name.upper()}={shown}\n" in text, f"settings.example.env lacks {name}"


def test_a_platforms_own_settings_give_way_to_variables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They lie with its state, so that they hold after it was stopped, and name no other place for it."""
    (tmp_path / "settings.env").write_text("JISHI_STOREFRONT_KEYS=a,b\nJISHI_SERVING_PORT=4711\nJISHI_VAR=elsewhere\n")
    monkeypatch.setenv("JISHI_VAR", str(tmp_path))
    monkeypatch.setenv("JISHI_SERVING_PORT", "4712")
    settings = get_settings.__wrapped__()
    assert (settings.storefront_keys, settings.serving_port, settings.var) == ("a,b", 4712, tmp_path)


def test_a_variable_changes_a_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JISHI_SERVING_PORT", "4711")
    assert Settings().serving_port == 4711
