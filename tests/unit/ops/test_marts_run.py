"""What becomes of the results of a dbt run: counts, the queries of failing tests, refused builds."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from jishi.paths import Paths
from ops import marts
from tests.lake import settings_in

WARNED = {"model.jishi.m1": "success", "test.jishi.t1": "warn", "model.jishi.m2": "success", "test.jishi.t2": "warn"}


class Dbt:
    """Answers a run with these results."""

    def __init__(self, paths: Paths, monkeypatch: pytest.MonkeyPatch, results: dict[str, str], code: int = 0) -> None:
        self.file, self.results = paths.warehouse / "target" / "run_results.json", results
        self.file.parent.mkdir(parents=True)
        self.code = code
        self.missing: set[str] = set()
        monkeypatch.setattr(marts, "failing_tests", self.failing_tests)

    def run(self, arguments: list[str]) -> subprocess.CompletedProcess[str]:
        rows = [{"unique_id": n, "status": s, "compiled_code": f"select {n[-2:]}"} for n, s in self.results.items()]
        self.file.write_text(json.dumps({"results": rows}))
        return subprocess.CompletedProcess(arguments, self.code, "")

    def failing_tests(self, settings: Any, database: Any, manifest: Any, missing: set[str]) -> tuple[dict[str, str], int]:
        self.missing = missing
        return {"a_key": "select k"}, 5


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return Paths.of(settings_in(tmp_path))


def run(dbt: Dbt, var: Path) -> Any:
    settings = settings_in(var)
    return marts._run(settings, var / "build.duckdb", dbt.run, continues=False)


def test_every_failing_test_has_its_query(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    dbt = Dbt(paths, monkeypatch, WARNED)
    models, tests, failing = run(dbt, paths.var)
    assert (models, tests) == (2, 5 + 2)
    assert failing == {"t1": "select t1", "t2": "select t2", "a_key": "select k"}
    assert not {name for name in dbt.missing if name.startswith("model.")}


def test_a_model_that_does_not_run_refuses_the_whole_build(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    dbt = Dbt(paths, monkeypatch, WARNED | {"model.jishi.m2": "error", "test.jishi.t2": "skipped"}, code=1)
    with pytest.raises(marts.BuildFailed, match=r"model\.jishi\.m2, t1, a_key"):
        run(dbt, paths.var)
    assert "model.jishi.m2" in dbt.missing


@pytest.mark.parametrize("left", [{"model.jishi.m1": "success"}, WARNED])
def test_a_dbt_that_dies_refuses_the_whole_build(paths: Paths, monkeypatch: pytest.MonkeyPatch, left: dict[str, str]) -> None:
    """Its results are those of the run before, in which a test may have failed."""
    with pytest.raises(marts.BuildFailed, match="nothing was published"):
        run(Dbt(paths, monkeypatch, left, code=1), paths.var)
