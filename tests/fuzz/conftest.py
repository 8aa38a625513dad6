"""Says at the end of a run how many inputs each surface had."""

from __future__ import annotations

import pytest

from tests.fuzz.inputs import COUNTED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """One line of counts."""
    if COUNTED:
        counts = ", ".join(f"{surface} {count:,}" for surface, count in sorted(COUNTED.items()))
        terminalreporter.write_line(f"fuzz: {sum(COUNTED.values()):,} inputs ({counts})")
