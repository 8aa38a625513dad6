"""Rules for every test run, in every environment: in CI nothing is skipped, and nothing is left out, in silence."""

from __future__ import annotations

import json
import os
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

# Else one answer in a hundred would be of another rung than the test is about; those about the rungs say so.
os.environ.setdefault("JISHI_LADDER_TRIALS", "0")

with suppress(ImportError):  # the engines' environments have no hypothesis
    from hypothesis import HealthCheck, settings

    # No test is about how fast a machine is.
    settings.register_profile("tests", deadline=None, suppress_health_check=[HealthCheck.too_slow])
    settings.load_profile("tests")
    # 22,000 inputs of tests/fuzz, 1,700 a property instead of 100
    settings.register_profile(
        "fuzz", parent=settings.get_profile("tests"), max_examples=int(os.environ.get("JISHI_FUZZ_EXAMPLES", "1700"))
    )

# Seconds since 1970. A run that is stopped half way says nothing of any test, so where time is limited (.ci/run) tests that
# have not begun by then are left out, and named.
_UNTIL = float(os.environ.get("JISHI_TESTS_UNTIL", "inf"))
_skipped: list[str] = []
_left_out: list[str] = []


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


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> bool | None:
    """Leave out a test whose time has not come before the run's time was over."""
    if time.time() < _UNTIL:
        return None
    _left_out.append(item.nodeid)
    return True


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Remember what was skipped."""
    if report.skipped:
        _skipped.append(report.nodeid)


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Fail a run in CI that skipped something: there every prerequisite can be installed, so a skip hides a hole."""
    if _skipped and os.environ.get("CI") == "true" and exitstatus == 0:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name what was skipped, and what was left out."""
    if _left_out:
        terminalreporter.section("left out, for the time of the run was over")
        for nodeid in _left_out:
            terminalreporter.line(nodeid)
        terminalreporter.line(f"left out: {len(_left_out)} tests")
    if _skipped and os.environ.get("CI") == "true":
        terminalreporter.section("skipped in CI, which counts as a failure")
        for nodeid in _skipped:
            terminalreporter.line(nodeid)
