"""uvicorn's connection with answers that leave in one piece.

uvicorn writes the head of an answer and its body apart. A process that is killed between both has sent a head alone: a proxy
passes it on, and then cannot ask another process, so that the client gets half an answer. What is written in one turn of the
event loop leaves at once here: a killed process has sent all of a common answer or nothing.
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_MOST_BYTES = 65_536  # more is not kept back: whoever streams sees that its client reads slowly


class WholeAnswers(HttpToolsProtocol):
    """One connection."""

    def connection_made(self, transport: Any) -> None:
        """As asyncio says."""
        super().connection_made(GatheringTransport(transport, self.loop))  # type: ignore[arg-type]


class GatheringTransport:
    """Keeps what is written until the end of the event loop's turn; all else is the ``transport``'s."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport, self._loop = transport, loop
        self._pieces: list[bytes] = []
        self._size = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Write it with what else is written in this turn."""
        if not self._pieces:
            self._loop.call_soon(self.flush)
        self._pieces.append(data)
        self._size += len(data)
        if self._size > _MOST_BYTES:
            self.flush()

    def write_at_once(self, data: bytes) -> None:
        """Write it now, after what was kept: it is a whole answer."""
        if self._pieces:
            self.write(data)
            self.flush()
        else:
            self._transport.write(data)

    def flush(self) -> None:
        """Write what was kept."""
        if self._pieces:
            data = b"".join(self._pieces)
            self._pieces.clear()
            self._size = 0
            if not self._transport.is_closing():
                self._transport.write(data)

    def close(self) -> None:
        """Close the connection once all is written."""
        self.flush()
        self._transport.close()
