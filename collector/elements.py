"""Cut the body of a request into its events where it cannot be read as a whole, so that one bad event concerns one event.

Only strings and brackets are looked at. A body whose brackets do not close is refused: nobody can say where an event ends.
"""

from __future__ import annotations

import json
import re

from collector.refusals import RequestRefused

_TOKEN = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"|[\[\]{},"]', re.DOTALL)
_MEMBER = re.compile(rb'\s*("[^"\\]*+(?:\\.[^"\\]*+)*+")\s*:\s*', re.DOTALL)
_CLOSING = {b"[": b"]", b"{": b"}"}


def cut_elements(body: bytes, what: str, max_elements: int) -> list[bytes]:
    """The text of each entry of the body's array, or of the array under ``what`` in the body's object.

    Raises RequestRefused: 400 when the body is neither or does not close, 413 for more entries than ``max_elements``, 422 when
    the object holds no such array.
    """
    start = len(body) - len(body.lstrip())
    opening = body[start : start + 1]
    if opening not in _CLOSING:
        raise _broken(what, start)
    if opening == b"{":
        start = _array_of_object(body, start, what)
    parts, end = _cut(body, start, what, max_elements)
    if opening == b"[" and body[end:].strip():
        raise _broken(what, end)
    return parts


def _array_of_object(body: bytes, start: int, what: str) -> int:
    """Where the array under ``what`` begins."""
    members, end = _cut(body, start, what, None)
    if body[end:].strip():
        raise _broken(what, end)
    arrays: list[int] = []
    at = start + 1
    for member in members:
        match = _MEMBER.match(member)
        if match is None:
            raise _broken(what, at)
        if _key(match[1]) == what:
            arrays.append(at + match.end())
        at += len(member) + 1
    if len(arrays) != 1:
        problem = "stands twice" if arrays else "is missing"
        message = f'{what} {problem}; put the {what} into an array, or into {{"{what}": [...]}}'
        raise RequestRefused(422, "wrong_shape", what, message)
    if body[arrays[0] : arrays[0] + 1] != b"[":
        raise RequestRefused(422, "wrong_shape", what, f"{what} must be an array")
    return arrays[0]


def _cut(body: bytes, start: int, what: str, most: int | None) -> tuple[list[bytes], int]:
    """The parts between the commas of the list or object that opens at ``start``, and the place behind its end."""
    parts: list[bytes] = []
    open_brackets: list[bytes] = []
    begin = start + 1
    for match in _TOKEN.finditer(body, start):
        token = match[0]
        if len(token) > 1:
            continue
        if token in _CLOSING:
            open_brackets.append(_CLOSING[token])
        elif token == b",":
            if len(open_brackets) == 1:
                parts.append(body[begin : match.start()])
                begin = match.end()
                if most is not None and len(parts) >= most:
                    message = f"more than {most} {what} in one request; send at most {most} and split the rest"
                    raise RequestRefused(413, "too_many_events", "body", message)
        elif token == b'"' or token != open_brackets.pop():
            raise _broken(what, match.start())
        elif not open_brackets:
            last = body[begin : match.start()]
            if parts or last.strip():
                parts.append(last)
            if any(not part.strip() for part in parts):
                raise _broken(what, match.start())
            return parts, match.end()
    raise _broken(what, len(body))


def _key(text: bytes) -> str | None:
    try:
        return str(json.loads(text))
    except ValueError:
        return None


def _broken(what: str, at: int) -> RequestRefused:
    line = f"the body is not JSON (byte {at}); send a UTF-8 JSON array of {what}"
    return RequestRefused(400, "malformed_json", "body", line)
