"""Rules for every test run, in every environment: in CI nothing is skipped in silence."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

with suppress(ImportError):  # the engines' environments have no hypothesis
    from hypothesis import HealthCheck, settings

    # No test is about how fast a machine is.
    settings.register_profile("tests", deadline=None, suppress_health_check=[HealthCheck.too_slow])
    settings.load_profile("tests")
    # 22,000 inputs of tests/fuzz, 1,700 a property instead of 100
    settings.register_profile(
        "fuzz", parent=settings.get_profile("tests"), max_examples=int(os.environ.get("JISHI_FUZZ_EXAMPLES", "1700"))
    )

_skipped: list[str] = []


@pytest.fixture(scope="session")
def parsed_project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of what dbt makes of the project's source without any data, once a run."""
    from ops.dbt import parsed_metrics

    folder = tmp_path_factory.mktemp("parsed")
    parsed_metrics(folder)
    return folder


@pytest.fixture(scope="session")
def semantic_manifest(parsed_project: Path) -> dict[str, Any]:
    """The metrics as dbt reads them from the source."""
    manifest: dict[str, Any] = json.loads((parsed_project / "semantic_manifest.json").read_text())
    return manifest


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Remember what was skipped."""
    if report.skipped:
        _skipped.append(report.nodeid)


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Fail a run in CI that skipped something: there every prerequisite can be installed, so a skip hides a hole."""
    if _skipped and os.environ.get("CI") == "true" and exitstatus == 0:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name what was skipped."""
    if _skipped and os.environ.get("CI") == "true":
        terminalreporter.section("skipped in CI, which counts as a failure")
        for nodeid in _skipped:
            terminalreporter.line(nodeid)
