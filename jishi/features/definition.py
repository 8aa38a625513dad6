"""A feature: a declaration that every engine computes to the same value."""

from __future__ import annotations

from dataclasses import dataclass

from jishi.features.declaration import Declaration, Where
from jishi.features.refusal import refuse

__all__ = ["Feature", "Where"]


@dataclass(frozen=True)
class Feature(Declaration):
    """A declaration that was checked when it was made; what needs its neighbours is checked with the registry."""

    def __post_init__(self) -> None:
        """Raise NotComputable for a declaration that is not computable exactly everywhere."""
        refuse(self)
