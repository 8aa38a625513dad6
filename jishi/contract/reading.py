"""Read the text of one event: its JSON, or why it is none that every engine would read alike.

Parsers differ on what JSON leaves open: a key that stands twice, a number that no type holds, half of a surrogate pair, a NUL,
a hundred thousand brackets. Such a text is refused by name, wherever events come in (collector, imports), and kept as it came.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Iterator
from itertools import chain
from typing import Any

import orjson

from jishi.contract.validation import Refusal

MAX_DEPTH = 253  # levels of lists and objects in one event; orjson writes 254, and a batch is one around it
_MOST = 2**63 - 1
_LONG_NUMBER = b"0" * 19  # perhaps one that 64 bits do not hold; perhaps a long id
_EACH_DIGIT_A_ZERO = bytes.maketrans(b"123456789", b"0" * 9)
_SPACE = b" \t\n\r"
_LONG_VALUE = re.compile(rb"(?:^|[:,\[])-?0{19}")  # behind what stands before a number, never within a long id alone
_BRACKETS = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"|[\[\]{}]', re.DOTALL)
_SURROGATE = re.compile("[\ud800-\udfff]")


def read_event(text: bytes) -> tuple[Any, Refusal | None]:
    """The decoded event and None, or what could be read of it and why it is refused. Never raises."""
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        return _read_with_care(text)
    return (value, None) if is_plain(text, value) else _read_with_care(text)


def is_plain(text: bytes, value: Any) -> bool:
    """Whether ``value`` is all that ``text`` says, beyond doubt: no key twice, no NUL, no long number, not too deep.

    Cheap, for nearly every text is; False only means that it needs a closer look. Keys are counted by the colons behind them,
    in the text and in what was read of it.
    """
    squeezed = text.translate(_EACH_DIGIT_A_ZERO, _SPACE)
    if _LONG_NUMBER in squeezed and _LONG_VALUE.search(squeezed) is not None:
        return False
    if b"\\" in text and (b"\\u0000" in text or b'\\":' in squeezed):
        return False
    try:
        return orjson.dumps([value]).count(b'":') == squeezed.count(b'":')
    except TypeError:  # too deep to be written
        return False


def kept_text(text: bytes) -> str:
    """The text as it is kept: as it came, with an escape for each byte that is no UTF-8 and for NUL."""
    return text.decode("utf-8", errors="backslashreplace").replace("\0", "\\u0000")


def _read_with_care(text: bytes) -> tuple[Any, Refusal | None]:
    if _depth(text) > MAX_DEPTH:
        return None, Refusal("too_deep", "", f"the event is nested too deep; keep it below {MAX_DEPTH} levels")
    problems: list[Refusal] = []
    try:
        string = text.decode("utf-8")
    except UnicodeDecodeError as error:
        problems.append(Refusal("bad_text", "", f"byte {error.start} of the event is no UTF-8; send UTF-8"))
        string = text.decode("utf-8", errors="replace")
    try:
        value = json.loads(
            string.removeprefix("\ufeff"),
            object_pairs_hook=lambda pairs: _object(pairs, problems),
            parse_int=lambda digits: _integer(digits, problems),
            parse_float=lambda digits: _float(digits, problems),
            parse_constant=lambda name: problems.append(_out_of_range(name)),
        )
    except json.JSONDecodeError as error:
        return None, (
            problems or [Refusal("not_an_object", "", f"the event is not JSON: {error.msg}, at character {error.pos}")]
        )[0]
    return value, next(chain(problems, _bad_texts(value)), None)


def _depth(text: bytes) -> int:
    depth = deepest = 0
    for match in _BRACKETS.finditer(text):
        bracket = match[0]
        if bracket in (b"[", b"{"):
            depth += 1
            deepest = max(deepest, depth)
        elif len(bracket) == 1:
            depth -= 1
    return deepest


def _object(pairs: list[tuple[str, Any]], problems: list[Refusal]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        times = Counter(name for name, _ in pairs)
        twice = next(name for name in value if times[name] > 1)
        shown = twice[:80].encode(errors="replace").decode()
        problems.append(Refusal("duplicate_key", shown, f"the key {shown!r} stands twice in one object; send it once"))
    return value


def _integer(digits: str, problems: list[Refusal]) -> int:
    if len(digits) > 20 or not -_MOST - 1 <= int(digits) <= _MOST:
        problems.append(_out_of_range(digits))
        return 0
    return int(digits)


def _float(digits: str, problems: list[Refusal]) -> float:
    value = float(digits)
    if not math.isfinite(value):
        problems.append(_out_of_range(digits))
        return 0.0
    return value


def _out_of_range(digits: str) -> Refusal:
    return Refusal("number_out_of_range", "", f"the number {digits[:40]} fits no 64 bits; send a smaller one, or a text")


def _bad_texts(value: Any, path: str = "") -> Iterator[Refusal]:
    if isinstance(value, str):
        if "\0" in value:
            yield Refusal("bad_text", path, f"{path or 'the text'} has a NUL character; send the text without it")
        elif _SURROGATE.search(value):
            yield Refusal("bad_text", path, f"{path or 'the text'} is no Unicode: half of a character, perhaps a cut emoji")
    elif isinstance(value, dict):
        for name, entry in value.items():
            yield from _bad_texts(name, f"{path} (a key)".strip())
            yield from _bad_texts(entry, f"{path}.{name}".lstrip(".").encode(errors="replace").decode()[:200])
    elif isinstance(value, list):
        for index, entry in enumerate(value):
            yield from _bad_texts(entry, f"{path}.{index}".lstrip("."))
