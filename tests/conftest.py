"""Rules for every test run, in every environment: in CI nothing is skipped in silence."""

from __future__ import annotations

import os

import pytest

_skipped: list[str] = []


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
