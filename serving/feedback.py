"""Beliefs about new items learn from what is shown and clicked now, not with the next release alone.

The log's ``recommendation_shown`` and ``recommendation_clicked`` since the release's are counted as the release counts its own
(``models.candidates.click_counts``), with the release's estimate of how often each place is looked at. The result depends on
the events alone, neither on their order nor on how often one is delivered: a process that starts anew believes the same.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from threading import Lock

import numpy as np

from models.algorithms.exploration import Belief
from models.algorithms.position_bias import PlacedImpressions
from models.candidates.click_counts import counts_of
from models.candidates.newcomers import EXPLORED_PLACE
from serving.shelf import ServedModel, ServedNewcomers

MOST_PLACES = 500_000  # of a shop's events together, 130 bytes each; the oldest events are forgotten first


@dataclass(frozen=True)
class ListEvent:
    """A list that was seen, or an item of one that was clicked: items with their places, of a click as it says or None."""

    event_id: str
    shop_id: str
    request_id: str
    person_id: str
    places: tuple[tuple[str, int | None], ...]
    is_click: bool
    known_at_ms: int


@dataclass
class Feedback:
    """A shop's events about items that are new, or newer than the release. Written by the reader of the stream."""

    most: int = MOST_PLACES
    has_changed: bool = False
    _events: OrderedDict[str, ListEvent] = field(default_factory=OrderedDict)
    _places: int = 0
    _lock: Lock = field(default_factory=Lock)
    _new: tuple[ServedModel | None, frozenset[str]] = (None, frozenset())

    def put(self, event: ListEvent, model: ServedModel | None, known_items: Collection[str]) -> None:
        """Remember an event as far as it is about such items, once if it comes twice; before a first release all are."""
        new = self._new_items(model)
        places = tuple(pair for pair in event.places if pair[0] in new or pair[0] not in known_items)
        newcomers = None if model is None else model.newcomers
        if not places or (newcomers is not None and event.known_at_ms <= newcomers.known_to_ms):
            return
        with self._lock:
            if event.event_id not in self._events:
                self._events[event.event_id] = ListEvent(**vars(event) | {"places": places})
                self.has_changed, self._places = True, self._places + len(places)
                while self._places > self.most:
                    _, oldest = self._events.popitem(last=False)
                    self._places -= len(oldest.places)

    def _new_items(self, model: ServedModel | None) -> frozenset[str]:
        if self._new[0] is not model:
            newcomers = None if model is None else model.newcomers
            numbers = [] if newcomers is None else newcomers.items.tolist()
            self._new = (model, frozenset() if model is None else frozenset(model.item_ids[number] for number in numbers))
        return self._new[1]

    def learn(self, model: ServedModel) -> Belief | None:
        """The belief of a release after what came since; None for a release whose belief cannot learn."""
        newcomers = model.newcomers
        if newcomers is None or newcomers.looked_at is None:
            return None
        with self._lock:
            self.has_changed = False
            for event_id in [key for key, event in self._events.items() if event.known_at_ms <= newcomers.known_to_ms]:
                self._places -= len(self._events.pop(event_id).places)
            events = list(self._events.values())
        return _after(newcomers, model, events)


def _after(newcomers: ServedNewcomers, model: ServedModel, events: list[ListEvent]) -> Belief:
    place_of = {model.item_ids[number]: place for place, number in enumerate(newcomers.items.tolist())}
    rows = counts_of(_rows(events, is_click=False), _rows(events, is_click=True))
    known = [(place_of[item_id], *rest) for item_id, *rest in rows if item_id in place_of]
    if not known:
        return newcomers.belief
    item, place, shown, clicked = (np.array(column) for column in zip(*known, strict=True))
    counts = PlacedImpressions(item.astype(np.int64), place.astype(np.int64), shown.astype(float), clicked.astype(float))
    size = len(newcomers.items)
    assert newcomers.looked_at is not None
    clicks = np.bincount(counts.item, weights=counts.clicked, minlength=size).astype(np.float64)
    return newcomers.belief.after(clicks, counts.examined(size, EXPLORED_PLACE, newcomers.looked_at))


def _rows(events: list[ListEvent], *, is_click: bool) -> Iterator[tuple[str, str, str, int | None]]:
    for event in sorted(events, key=lambda event: event.event_id):
        if event.is_click == is_click:
            for item_id, place in event.places:
                yield event.request_id, event.person_id, item_id, place
