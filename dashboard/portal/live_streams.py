"""Streams of server-sent events: how many a person may have open, how long one lasts, and how a message is written."""

from __future__ import annotations

import threading
from collections import defaultdict

# A browser keeps at most six connections to a host, and the pages beside need some.
MOST_OF_A_PERSON = 4
# A browser comes back by itself when a stream ends; so none outlives a deployment for long, or what it was given rights for.
LONGEST_S = 600.0


class LiveStreams:
    """The open streams of each person; a new one beyond the most ends the oldest."""

    def __init__(self, longest_s: float = LONGEST_S) -> None:
        self.longest_s = longest_s
        self._lock = threading.Lock()
        self._open: dict[int, list[object]] = defaultdict(list)

    def enter(self, person_id: int) -> object:
        """A new stream of a person."""
        stream = object()
        with self._lock:
            streams = self._open[person_id]
            streams.append(stream)
            del streams[:-MOST_OF_A_PERSON]
        return stream

    def holds(self, person_id: int, stream: object) -> bool:
        """Whether the stream is still among the newest of the person."""
        with self._lock:
            return stream in self._open.get(person_id, ())

    def count(self) -> int:
        """How many are open."""
        with self._lock:
            return sum(map(len, self._open.values()))

    def leave(self, person_id: int, stream: object) -> None:
        """The stream has ended."""
        with self._lock:
            if stream in self._open.get(person_id, ()):
                self._open[person_id].remove(stream)
            if not self._open.get(person_id):
                self._open.pop(person_id, None)


def message(data: str, event: str | None = None) -> str:
    """A message of the stream (WHATWG HTML, server-sent events)."""
    lines = [f"event: {event}"] if event else []
    return "\n".join([*lines, *(f"data: {line}" for line in data.splitlines() or [""]), "", ""])
