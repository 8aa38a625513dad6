"""The thread of the event loop, on which all requests of a process take their turns: what waits there holds up every shop."""

from __future__ import annotations

import asyncio


class NeedsThread(RuntimeError):
    """The answer has to wait for a store, or takes long: ask again on a thread that runs no event loop."""


def leave_event_loop() -> None:
    """For what waits or takes long, before it does. Raises NeedsThread on the thread of an event loop."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    raise NeedsThread("an event loop runs on this thread")
