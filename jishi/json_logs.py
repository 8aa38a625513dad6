"""Log lines of the platform's processes: one JSON object a line on stderr, never a value of an event, a person or a key.

``at`` (UTC), ``level``, ``part`` (as ``jishi status`` calls it), ``pid``, ``logger``, ``message``; of an exception ``error``,
its type, and ``places``, those that it came through, outermost first. Its own message is left out: it may quote what the code
stumbled over, and that can be a shopper's event. E-mail addresses and telephone numbers are taken out of every message.
"""

from __future__ import annotations

import json
import logging
import re
import sys
import threading
import traceback
from datetime import UTC, datetime
from types import TracebackType
from typing import Any

# Java's regular expressions, too (``java_pattern``), where braces and backslashes would be taken for Log4j's own.
_DIGIT = "[0-9]"
E_MAIL = "[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+[.][A-Za-z0-9.-]*[A-Za-z0-9]"
TELEPHONE = f"(?<![0-9A-Za-z.])([+]{8 * _DIGIT}+|(86)?1[3-9]{9 * _DIGIT})(?![0-9A-Za-z.])"
_MASKS = ((re.compile(E_MAIL), "<e-mail>"), (re.compile(TELEPHONE), "<telephone>"))


class JsonLines(logging.Formatter):
    """A record as one line of JSON."""

    def __init__(self, part: str) -> None:
        super().__init__()
        self._part = part

    def format(self, record: logging.LogRecord) -> str:
        """The line; the text of an exception that another handler has kept in the record is not taken over."""
        line: dict[str, Any] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "part": self._part,
            "pid": record.process,
            "logger": record.name,
            "message": masked(record.getMessage()),
        }
        if record.exc_info and record.exc_info[0] is not None:
            kind, _, tracebacks = record.exc_info
            line |= {"error": kind.__name__, "places": _places(tracebacks)}
        return json.dumps(line, ensure_ascii=False)


def masked(text: str) -> str:
    """The text without e-mail addresses and telephone numbers."""
    for pattern, mask in _MASKS:
        text = pattern.sub(mask, text)
    return text


def log_as_json(part: str) -> None:
    """Send all that this process logs to stderr, with what ends it or one of its threads, and uvicorn's errors."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines(part))
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    logging.captureWarnings(True)
    for quiet in ("uvicorn.error", "httpx", "httpcore"):
        logging.getLogger(quiet).setLevel(logging.WARNING)
    log = logging.getLogger(part)

    def log_end(kind: type[BaseException], error: BaseException, places: TracebackType | None) -> None:
        log.critical("the process ends with an error", exc_info=(kind, error, places))

    def log_end_of_thread(ended: threading.ExceptHookArgs) -> None:
        name = ended.thread.name if ended.thread else "unknown"
        error = ended.exc_value or ended.exc_type()
        log.critical("the thread %s ended with an error", name, exc_info=(ended.exc_type, error, ended.exc_traceback))

    sys.excepthook = log_end
    threading.excepthook = log_end_of_thread


def java_pattern(part: str) -> str:
    """Pattern of Log4j 2 with the same keys; ``error`` is the whole text of an exception, for Java's are the engine's."""
    message, error = (f"%enc{{{_masked_in_java(value)}}}{{JSON}}" for value in ("%m", "%xEx"))
    return (
        f'{{"at":"%d{{yyyy-MM-dd\'T\'HH:mm:ss.SSS}}{{UTC}}Z","level":"%level{{lowerCase=true}}","part":"{part}","pid":%pid,'
        f'"logger":"%enc{{%c}}{{JSON}}","message":"{message}","error":"{error}"}}%n'
    )


def _masked_in_java(pattern: str) -> str:
    for regular, mask in ((E_MAIL, "<e-mail>"), (TELEPHONE, "<telephone>")):
        pattern = f"%replace{{{pattern}}}{{{regular}}}{{{mask}}}"
    return pattern


def _places(tracebacks: TracebackType | None) -> list[str]:
    return [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(tracebacks)]
