"""What all parts of Jishi agree on: contract, features, tables, topics, paths, settings, and the ``jishi`` command.

For analysts it also reads: ``jishi.read`` and ``jishi.features_at`` (``jishi.frames``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jishi.frames import features_at, read

__version__ = "0.1.0"
__all__ = ["__version__", "features_at", "read"]


def __getattr__(name: str) -> Any:
    """What reads needs pandas and DuckDB, which most parts never load."""
    if name not in ("features_at", "read"):
        raise AttributeError(f"module 'jishi' has no attribute {name!r}")
    from jishi import frames

    return getattr(frames, name)
