"""Import Feast in a third of its time. Call ``skip_runtime_type_checks`` before the first ``import feast``.

Feast decorates its classes with ``typeguard.typechecked``, which parses and compiles their source anew at every import: 5 of 8
CPU seconds at the start of each process. mypy checks the types of our calls before they run.
"""

from __future__ import annotations

from typing import Any


def skip_runtime_type_checks() -> None:
    """Make ``typeguard.typechecked`` give back what it is put on; does nothing where typeguard is not installed."""
    try:
        import typeguard
    except ModuleNotFoundError:
        return
    typeguard.typechecked = _unchecked


def _unchecked(target: Any = None, **_options: Any) -> Any:
    return target if target is not None else _unchecked
