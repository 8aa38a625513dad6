"""Bytes of an export → text: the encoding is detected, said, or named by the mapping; a wrong one is never guessed silently.

A byte-order mark decides. Else the first encoding wins that reads every byte **and** shows the columns that the mapping names,
in an order that tells Chinese from Western exports by their bytes.
"""

from __future__ import annotations

import codecs
from collections.abc import Callable

from jishi.landing import LandingError

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_EAST_ASIAN = ("gb18030", "big5hkscs", "shift_jis", "euc_kr")
_WESTERN = ("cp1252", "cp1250", "cp1251")


def decoded(content: bytes, name: str, has_columns: Callable[[str], bool], encoding: str | None = None) -> tuple[str, str]:
    """The text of a file and the encoding that it was read with.

    ``has_columns`` says whether a text shows the needed header. ``encoding`` is the mapping's own; it is used as it is.
    Raises LandingError that names the file, what was tried and the key to set.
    """
    if encoding is not None:
        return _strict(content, name, encoding), encoding
    for mark, marked in _MARKS:
        if content.startswith(mark):
            return _strict(content, name, marked), marked
    readable: list[tuple[str, str]] = []
    for candidate in _candidates(content):
        try:
            text = content.decode(candidate)
        except UnicodeDecodeError:
            continue
        if has_columns(text):
            return text, candidate
        readable.append((text, candidate))
    if readable:  # the header is missing in every reading; the reader of the table says which column
        return readable[0]
    raise LandingError(
        f"{name}: the bytes are text in none of {', '.join(_candidates(content))}; add 'encoding: …' to the mapping"
    )


def _candidates(content: bytes) -> tuple[str, ...]:
    if content[:4096].count(0) > len(content[:4096]) // 4:
        return ("utf-16-le", "utf-16-be")
    east_first = _pairs_of_high_bytes(content) >= 0.9
    return ("utf-8", *_EAST_ASIAN, *_WESTERN) if east_first else ("utf-8", *_WESTERN, *_EAST_ASIAN)


def _pairs_of_high_bytes(content: bytes) -> float:
    """Share of bytes above 0x7F that stand in runs of two and more: near 1 in GBK and Big5, near 0 in Western text."""
    high = in_runs = run = 0
    for byte in content[: 1 << 20] + b"\0":
        if byte > 0x7F:
            run += 1
            continue
        high += run
        in_runs += run if run > 1 else 0
        run = 0
    return in_runs / high if high else 0.0


def _strict(content: bytes, name: str, encoding: str) -> str:
    try:
        return content.decode(encoding)
    except LookupError:
        raise LandingError(f"encoding: {encoding!r} is not known; write one such as gb18030, utf-16 or cp1252") from None
    except UnicodeDecodeError as error:
        raise LandingError(f"{name} is not {encoding}: byte {error.start}; correct 'encoding' in the mapping") from None
