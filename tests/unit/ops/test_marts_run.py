"""What dbt leaves out after a test that fails is built for the shops that pass it, where others have marts to keep."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from jishi.paths import Paths
from ops import marts
from tests.lake import settings_in

FIRST = {"model.jishi.m1": "success", "test.jishi.t1": "fail", "model.jishi.m2": "skipped", "test.jishi.t2": "skipped"}
SECOND = {"model.jishi.m2": "success", "test.jishi.t2": "fail"}


class Dbt:
    """Answers each run with the next results."""

    def __init__(self, paths: Paths, monkeypatch: pytest.MonkeyPatch, *results: dict[str, str]) -> None:
        self.file, self.results = paths.warehouse / "target" / "run_results.json", list(results)
        self.file.parent.mkdir(parents=True)
        self.selected: list[list[str]] = []
        self.missing: set[str] = set()
        monkeypatch.setattr(marts, "run_dbt", lambda arguments, environment: self.run(arguments))
        monkeypatch.setattr(marts, "failing_tests", self.failing_tests)

    def run(self, arguments: list[str]) -> subprocess.CompletedProcess[str]:
        self.selected.append(arguments[arguments.index("--select") + 1 :] if "--select" in arguments else [])
        rows = [{"unique_id": n, "status": s, "compiled_code": f"select {n[-2:]}"} for n, s in self.results.pop(0).items()]
        self.file.write_text(json.dumps({"results": rows}))
        return subprocess.CompletedProcess(arguments, 1, "")

    def failing_tests(self, settings: Any, database: Any, manifest: Any, missing: set[str]) -> tuple[dict[str, str], int]:
        self.missing = missing
        return {"a_key": "select k"}, 5


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return Paths.of(settings_in(tmp_path))


def run(dbt: Dbt, var: Path, **options: Any) -> Any:
    settings = settings_in(var)
    return marts._run(settings, var / "build.duckdb", dbt.run, continues=False, **options)


def test_the_skipped_are_built_and_every_failing_test_has_its_query(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    dbt = Dbt(paths, monkeypatch, FIRST, SECOND)
    models, tests, failing = run(dbt, paths.var, may_hold=True)
    assert dbt.selected == [[], ["m2", "t2"]]
    assert (models, tests) == (2, 5 + 2)
    assert failing == {"t1": "select t1", "t2": "select t2", "a_key": "select k"}
    assert not {name for name in dbt.missing if name.startswith("model.")}


def test_without_marts_to_keep_nothing_more_is_built(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    dbt = Dbt(paths, monkeypatch, FIRST)
    _, _, failing = run(dbt, paths.var, may_hold=False)
    assert (dbt.selected, list(failing)) == ([[]], ["t1", "a_key"])
    assert "model.jishi.m2" in dbt.missing


def test_a_model_that_does_not_run_refuses_the_whole_build(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    dbt = Dbt(paths, monkeypatch, FIRST, {"model.jishi.m2": "error", "test.jishi.t2": "skipped"})
    with pytest.raises(marts.BuildFailed, match=r"model\.jishi\.m2, t1, a_key"):
        run(dbt, paths.var, may_hold=True)


def test_a_dbt_that_ends_without_a_word_refuses_the_whole_build(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(marts.BuildFailed, match="nothing was published"):
        run(Dbt(paths, monkeypatch, {"model.jishi.m1": "success"}), paths.var, may_hold=True)
