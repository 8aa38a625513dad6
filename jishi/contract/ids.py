"""One rule for every id: trimmed, in Unicode's form NFC, without control characters, and no text that stands for nothing.

Storefronts send the text ``null`` or ``undefined`` where a variable was empty, and everybody without an id would become one
person of that name. Two spellings of one id (``é`` as one character or as two, a space behind it) would become two persons.
"""

from __future__ import annotations

import re
import unicodedata

MAX_ID_CHARACTERS = 200
# Record ids of what a page sent begin so (jishi.contract.sender); no id that is sent may, so the two cannot meet.
PAGE_PREFIX = "page:"
# Ids that an import makes up (a guest who has none) begin so; none that is sent live may.
IMPORT_PREFIX = "import:"

_SPACE = "\\t\\n\\x0B\\f\\r \\u0085\\u00A0\\u1680\\u2000-\\u200A\\u2028\\u2029\\u202F\\u205F\\u3000\\uFEFF"
# Controls, line and paragraph separators, direction overrides, the byte order mark.
_CONTROL = "\\x00-\\x1F\\x7F-\\x9F\\u2028\\u2029\\u202A-\\u202E\\u2066-\\u2069\\uFEFF"
_NOTHING = ("null", "undefined", "none", "nan")
# An object that became a text, and the nil UUID, which phones give to every app that may not know the device.
_ARTEFACT = "\\[object [A-Za-z]+\\]|0{8}-0{4}-0{4}-0{4}-0{12}"


def _any_case(word: str) -> str:
    return "".join(f"[{letter}{letter.upper()}]" for letter in word)


# What the rule takes before it trims; JSON Schema has no flags, so that both cases are spelt out.
ID_PATTERN = (
    f"^[{_SPACE}]*(?!{PAGE_PREFIX})(?!(?:{'|'.join(map(_any_case, _NOTHING))}|{_ARTEFACT})[{_SPACE}]*$)"
    f"[^{_SPACE}{_CONTROL}](?:[^{_CONTROL}]*[^{_SPACE}{_CONTROL}])?[{_SPACE}]*$"
)
_TRIMMED = re.compile(f"[{_SPACE}]*(.*?)[{_SPACE}]*", re.DOTALL)
_IS_ARTEFACT = re.compile(_ARTEFACT).fullmatch
_HAS_CONTROL = re.compile(f"[{_CONTROL}]")


def is_plain(text: str) -> bool:
    """Whether an id is seen at a glance to be in its one form, as most are; False only means that it must be looked at."""
    return (
        text.isascii()
        and text.isprintable()
        and " " not in text
        and 0 < len(text) <= MAX_ID_CHARACTERS
        and (len(text) > 9 or text.lower() not in _NOTHING)
        and text[:5] != PAGE_PREFIX
        and not _IS_ARTEFACT(text)
    )


_PLAIN = f"(?!{PAGE_PREFIX})(?!(?:{_ARTEFACT})(?![!-~]))(?:[!-~]{{10,}}|(?!(?i:{'|'.join(_NOTHING)})(?![!-~]))[!-~]{{1,9}})"
_PLAIN_IDS = re.compile(f"{_PLAIN}(?: {_PLAIN})*").fullmatch


def are_plain(texts: list[str]) -> bool:
    """``is_plain`` of several at once, at a third of the time. An id with single spaces within is in its one form, too."""
    joined = " ".join(texts)
    return len(joined) <= MAX_ID_CHARACTERS and _PLAIN_IDS(joined) is not None


def normal_id(text: str) -> str:
    """The id in its one form. Raises ValueError with the fix when it is none."""
    if is_plain(text):
        return text
    if len(text) > MAX_ID_CHARACTERS:
        raise ValueError(f"has {len(text)} characters; an id has at most {MAX_ID_CHARACTERS}")
    match = _TRIMMED.fullmatch(text)
    text = unicodedata.normalize("NFC", match[1] if match else text)
    if not text:
        raise ValueError("is empty; leave the field out when there is no id")
    if _HAS_CONTROL.search(text):
        raise ValueError("has a control character; send the id without it")
    if text.startswith(PAGE_PREFIX):
        raise ValueError(f"begins with {PAGE_PREFIX!r}, which marks what pages send; send the id without it")
    if text.lower() in _NOTHING or _IS_ARTEFACT(text):
        raise ValueError(f"is the text {text!r}, which stands for no id; leave the field out when there is none")
    return text


def normal_id_or_none(text: str | None) -> str | None:
    """The id in its one form, None for a text that is none: for who asks by an id and sends nothing."""
    if text is None or is_plain(text):
        return text
    try:
        return normal_id(text)
    except ValueError:
        return None
