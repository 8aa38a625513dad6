"""What can be read at a request: streamed views, and daily ones, which only the online store has."""

from __future__ import annotations

from dataclasses import dataclass

from jishi.features import ENTITY_KEYS, Feature, live_views, views
from jishi.features.daily import DAILY
from jishi.features.newest import is_merged

# The next value of a window may arrive a little after the old one ran out.
GRACE_MS = 5_000
_NUMBERS = ("int64", "double")


@dataclass(frozen=True)
class ReadView:
    """A view with the names of its features; ``members`` declare them where it is streamed. ``is_live``: its values come
    through the topic as they change; those of others change in the store alone.
    """

    name: str
    entity: str
    features: tuple[str, ...]
    numbers: tuple[str, ...]
    members: tuple[Feature, ...] = ()
    is_live: bool = False

    @property
    def keys(self) -> tuple[str, ...]:
        """Key columns beside the shop."""
        return ENTITY_KEYS[self.entity]

    @property
    def is_merged(self) -> bool:
        """Whether a row sums up all that was known, so that one from the topic is not whole without the store's."""
        return bool(self.members) and is_merged(self.members)

    @classmethod
    def streamed(cls, name: str, members: tuple[Feature, ...], *, is_live: bool) -> ReadView:
        """A view of declared features."""
        numbers = tuple(feature.name for feature in members if feature.value_type in _NUMBERS)
        return cls(name, members[0].entity, tuple(feature.name for feature in members), numbers, members, is_live)


def _readable() -> dict[str, ReadView]:
    live = live_views()
    streamed = {name: ReadView.streamed(name, members, is_live=name in live) for name, members in views().items()}
    daily = {table.view: ReadView(table.view, table.entity, tuple(table.columns), tuple(table.columns)) for table in DAILY}
    return streamed | daily


READABLE: dict[str, ReadView] = _readable()


def holds(valid_until_ms: int | None, now_ms: int) -> bool:
    """Whether a value still holds at ``now_ms``, with a little grace; a value without an end holds until the next one."""
    return valid_until_ms is None or now_ms < valid_until_ms + GRACE_MS
