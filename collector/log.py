"""Log lines of the collector: what happened and where, never a value of an event, a person or a key."""

from __future__ import annotations

import logging
import sys
import traceback
from types import TracebackType
from typing import Any


class WithoutValues(logging.Formatter):
    """Formats an exception as its type and the places that it came through.

    The message of an exception that nobody expected may quote what it stumbled over, and that can be a shopper's event.
    """

    def format(self, record: logging.LogRecord) -> str:
        """The line; a text of the exception that another handler has cached in the record is not taken over."""
        record.exc_text = None
        line = super().format(record)
        record.exc_text = None
        return line

    def formatException(self, ei: Any) -> str:
        """Type and places of an exception, outermost first."""
        kind: type[BaseException] | None
        tracebacks: TracebackType | None
        kind, _, tracebacks = ei
        places = [f"  {frame.filename}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(tracebacks)]
        return "\n".join([f"{kind.__name__ if kind else 'error'} at", *places])


def log_to_stderr() -> None:
    """Send the process's log lines to stderr, without values."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(WithoutValues("%(asctime)s %(levelname)s %(name)s %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
