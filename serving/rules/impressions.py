"""What persons of one shop were shown and did not click, as the log tells of it; only for shops whose rules ask."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field
from threading import Lock

from jishi.identity import USER

MOST_IMPRESSIONS = 200_000  # of a shop; persons who were shown nothing for longest go first


@dataclass(frozen=True)
class Seen:
    """Items that a person (every id of theirs) saw in a list, or one of which they clicked, and when the log knew it."""

    shop_id: str
    persons: tuple[str, ...]
    item_ids: tuple[str, ...]
    is_click: bool
    known_at_ms: int
    event_id: str


@dataclass
class Impressions:
    """Written by the reader of the stream, read by requests. A click on an item starts its count anew.

    A device counts for the user whom an event or a request named with it last, so that both ids of a person have one count,
    whichever of them a list or a click names.
    """

    most: int = MOST_IMPRESSIONS
    _shown: OrderedDict[str, dict[str, dict[str, int]]] = field(default_factory=OrderedDict)  # person, item, event: known at
    _user_of: OrderedDict[str, str] = field(default_factory=OrderedDict)  # by device
    _count: int = 0
    _lock: Lock = field(default_factory=Lock)

    def put(self, seen: Seen) -> None:
        """Remember a list, once if its event comes twice, however late; an item that was clicked is ignored no more."""
        with self._lock:
            for person in self._counted_as(seen.persons):
                theirs = self._shown.setdefault(person, {})
                self._shown.move_to_end(person)
                for item_id in seen.item_ids:
                    if seen.is_click:
                        self._count -= len(theirs.pop(item_id, ()))
                        continue
                    times = theirs.setdefault(item_id, {})
                    self._count += seen.event_id not in times
                    times.setdefault(seen.event_id, seen.known_at_ms)
                if not theirs:  # clicks alone are nothing to remember anybody for
                    del self._shown[person]
            while self._count > self.most:
                _, oldest = self._shown.popitem(last=False)
                self._count -= sum(map(len, oldest.values()))

    def ignored(self, persons: Iterable[str], since_ms: int) -> Counter[str]:
        """How often each item was shown to a person since then, and never clicked after; the ids are those of one person."""
        events: dict[str, set[str]] = {}
        with self._lock:
            for person in self._counted_as(tuple(persons)):
                for item_id, theirs in self._shown.get(person, {}).items():
                    recent = (event_id for event_id, known_at_ms in theirs.items() if known_at_ms >= since_ms)
                    events.setdefault(item_id, set()).update(recent)
        return Counter({item_id: len(each) for item_id, each in events.items() if each})

    def _counted_as(self, persons: tuple[str, ...]) -> list[str]:
        """The ids under which the lists of one person are counted; what a device saw before is counted for its user now."""
        users = [person for person in persons if person.startswith(USER)]
        for device in persons if users else ():
            if device == users[0] or self._user_of.get(device) == users[0]:
                continue
            self._user_of[device] = users[0]
            before = self._shown.pop(device, {})
            theirs = self._shown.setdefault(users[0], {}) if before else {}
            for item_id, times in before.items():
                self._count -= len(times.keys() & theirs.get(item_id, {}).keys())
                theirs[item_id] = times | theirs.get(item_id, {})
            while len(self._user_of) > self.most:
                self._user_of.popitem(last=False)
        return users[:1] or list(dict.fromkeys(self._user_of.get(person, person) for person in persons))
