"""The thread of the event loop, on which all requests of a process take their turns: what waits there holds up every shop."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_WITHOUT_STORE: ContextVar[bool] = ContextVar("without_store", default=False)


class NeedsThread(RuntimeError):
    """The answer has to wait for a store, or takes long: ask again on a thread that runs no event loop."""


def leave_event_loop() -> None:
    """For what waits or takes long, before it does. Raises NeedsThread on the thread of an event loop."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    raise NeedsThread("an event loop runs on this thread")


@contextmanager
def without_store() -> Iterator[None]:
    """What is asked meanwhile is answered from memory: no store is read, so that nobody waits for one."""
    token = _WITHOUT_STORE.set(True)
    try:
        yield
    finally:
        _WITHOUT_STORE.reset(token)


def may_read_store() -> bool:
    """Whether a store may be read here."""
    return not _WITHOUT_STORE.get()
