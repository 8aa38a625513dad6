"""``--help`` of a command of the platform prints what it does, and does nothing."""

from __future__ import annotations

import importlib
import runpy
import sys

import pytest

from imports.__main__ import app as imports_app
from ops import jars
from ops.cli.imports import import_


@pytest.mark.parametrize("module", ["ops.lake_tables", "ops.jars", "ops.kafka", "ops.airflow_database"])
def test_help_is_printed_and_nothing_done(
    module: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse() -> None:
        raise AssertionError("it has begun to work")

    monkeypatch.setattr("jishi.settings.get_settings", refuse)
    monkeypatch.setattr(sys, "argv", [module, "--help"])
    monkeypatch.delitem(sys.modules, module, raising=False)
    with pytest.raises(SystemExit) as ended:
        runpy.run_module(module, run_name="__main__")
    assert ended.value.code == 0
    assert f"usage: python -m {module}" in capsys.readouterr().out


@pytest.mark.parametrize(("words", "has_object_store"), [([], False), (["s3"], True)])
def test_jars_are_fetched_as_set_up_and_tests_ask(
    words: list[str], has_object_store: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[bool] = []

    def fetch_jars(_: object, *, with_object_store: bool) -> list[str]:
        asked.append(with_object_store)
        return []

    monkeypatch.setattr(jars, "fetch_jars", fetch_jars)
    monkeypatch.setattr(sys, "argv", ["ops.jars", *words])
    jars.main()
    assert asked == [has_object_store]
    assert "0 jars" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("module", "words", "command"),
    [
        ("imports", [], "jishi import"),
        ("imports", ["orders"], "jishi import orders"),
        ("simulator", [], "jishi simulate"),
        ("collector", ["send"], "jishi send"),
    ],
)
def test_the_help_of_a_part_names_the_command_that_its_reader_typed(
    module: str, words: list[str], command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", [module, *words, "--help"])
    monkeypatch.setenv("COLUMNS", "200")
    with pytest.raises(SystemExit) as ended:
        importlib.import_module(f"{module}.__main__").main()
    assert ended.value.code == 0
    assert f"Usage: {command} [OPTIONS]" in " ".join(capsys.readouterr().out.split())


def test_the_help_of_import_names_all_that_it_takes() -> None:
    names = [command.name or command.callback.__name__ for command in imports_app.registered_commands if command.callback]
    assert {"orders", "rates", "spend"} <= set(names)
    assert [name for name in names if name not in str(import_.__doc__)] == []
