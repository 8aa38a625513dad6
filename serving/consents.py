"""Who allows personalised answers: the newest choice of each person, from the lake and live from the log.

A choice counts for every id that its event names, the user's and the device's. An answer is personal only if no id of the
request has forbidden it: on a shared device, or after a logout, the one who forbade is never answered from what is stored.
Which of two choices is newer is decided as for items: latest ``occurred_at``, then ``received_at``, then ``event_id``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from threading import Lock

from jishi.identity import named_person
from jishi.lake.query import open_lake
from jishi.lake.reading import LakeVersion
from jishi.tables import SILVER_EVENTS
from serving.catalogue import Version

TABLE = SILVER_EVENTS.name


@dataclass(frozen=True)
class Choice:
    """A person's choice: every id that its event names, and whether personalised answers are allowed."""

    shop_id: str
    persons: tuple[str, ...]
    is_allowed: bool
    version: Version


@dataclass
class Consents:
    """The newest choice by shop and id; written by the stream and the watcher, read by requests.

    ``is_complete`` is False while older choices lie in the lake and cannot be read: nobody is answered personally then.
    """

    is_complete: bool = True
    _newest: dict[tuple[str, str], tuple[Version, bool]] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def put(self, choice: Choice) -> None:
        """Take over a choice; an older one, or the same again, changes nothing."""
        for person in choice.persons:
            key, stated = (choice.shop_id, person), (choice.version, choice.is_allowed)
            with self._lock:  # else the older of two who write at once might come last
                known = self._newest.get(key)
                if known is None or known < stated:
                    self._newest[key] = stated

    def allow(self, shop_id: str, persons: Sequence[str]) -> bool:
        """Whether these ids of one person may be answered personally; who never chose may."""
        if not self.is_complete:
            return False
        choices = [self._newest.get((shop_id, person)) for person in persons]
        return all([choice is None or choice[1] for choice in choices])


def read_choices(lake: LakeVersion) -> Iterator[Choice]:
    """Every choice in a version of the lake. Raises TableNotPublished, or duckdb.Error when a file cannot be read."""
    lake.require(TABLE)
    with open_lake(lake) as connection:
        rows = connection.execute(
            "select shop_id, user_id, anonymous_id, json_extract_string(line, '$.properties.personalisation') = 'true', "
            "epoch_ms(occurred_at), epoch_ms(received_at), event_id from silver_events where type = 'consent_changed'"
        ).fetchall()
    for shop_id, user_id, anonymous_id, is_allowed, *version in rows:
        persons = (named_person(user_id, None), named_person(None, anonymous_id))
        yield Choice(shop_id, tuple(each for each in persons if each is not None), bool(is_allowed), Version(*version))
