"""What a request is answered with beside the release and the catalogue: when it came, and the values of the feature store."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.float64]
# Views, entity ids → ids × numbers of the views, NaN for what is not known.
ReadFeatures = Callable[[tuple[str, ...], Sequence[str]], Values]
UTC = ZoneInfo("UTC")


@dataclass(frozen=True)
class Moment:
    """``now_ms`` is epoch ms, ``zone`` the shop's. ``items`` and ``persons`` read stored features, None where none may be."""

    now_ms: int
    zone: ZoneInfo = UTC
    items: ReadFeatures | None = None
    persons: ReadFeatures | None = None

    @cached_property
    def local(self) -> datetime:
        """The same by the shop's clocks."""
        return datetime.fromtimestamp(self.now_ms / 1000, self.zone)


@dataclass(frozen=True)
class UsedFeatures:
    """What a ranker read: by item the values of ``item_views``, and those of ``person_views`` of the person (empty for none).

    As plain values it goes to the decision log, from which ``moment_of`` answers again.
    """

    now_ms: int
    zone: str
    items: Mapping[str, list[float | None]]
    person: list[float | None]

    def moment(self) -> Moment:
        """The moment that gives the same values."""

        def items(views: tuple[str, ...], ids: Sequence[str]) -> Values:
            nothing = [None] * len(next(iter(self.items.values())))
            return _numbers([self.items.get(each, nothing) for each in ids])

        def persons(views: tuple[str, ...], ids: Sequence[str]) -> Values:
            return _numbers([self.person] * len(ids))

        return Moment(self.now_ms, ZoneInfo(self.zone), items if self.items else None, persons if self.person else None)


def _numbers(rows: Sequence[Sequence[float | None]]) -> Values:
    return np.array([[np.nan if value is None else value for value in row] for row in rows], dtype=np.float64)


def plain(values: Values) -> list[list[float | None]]:
    """Rows as JSON can hold them."""
    return [[None if value != value else value for value in row] for row in values.tolist()]
