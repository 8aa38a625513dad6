"""Bytes of an export → text: the encoding is detected, said, or named by the mapping; a wrong one is never guessed silently.

A byte-order mark decides. Else the first encoding wins that reads every byte **and** shows the columns that the mapping names:
UTF-8, that of the currency's country if it makes everyday characters of the bytes, then Chinese or Western ones by their bytes.
"""

from __future__ import annotations

import codecs
from collections.abc import Callable
from functools import lru_cache

from jishi.landing import LandingError

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# First bytes of the everyday characters of each: level 1 of GB 2312, Big5 and JIS X 0208, and Hangul.
_EVERYDAY = {"gb18030": (0xB0, 0xD7), "big5hkscs": (0xA4, 0xC6), "shift_jis": (0x88, 0x97), "euc_kr": (0xB0, 0xC8)}
_EAST_ASIAN = tuple(_EVERYDAY)
_WESTERN = ("cp1252", "cp1250", "cp1251")
_AT_HOME = {
    **{"CNY": "gb18030", "TWD": "big5hkscs", "HKD": "big5hkscs", "MOP": "big5hkscs", "JPY": "shift_jis", "KRW": "euc_kr"},
    **dict.fromkeys(("PLN", "CZK", "HUF", "RON"), "cp1250"),
    **dict.fromkeys(("RUB", "UAH", "BGN", "KZT", "BYN", "RSD"), "cp1251"),
}
_LOOKED_AT = 1 << 20  # characters


def decoded(
    content: bytes, name: str, has_columns: Callable[[str], bool], encoding: str | None = None, currency: str = ""
) -> tuple[str, str]:
    """The text of a file and the encoding that it was read with.

    ``has_columns`` says whether a text shows the needed header. ``encoding`` is the mapping's own; it is used as it is.
    ``currency`` is the shop's.
    Raises LandingError that names the file, what was tried and the key to set.
    """
    if encoding is not None:
        return _strict(content, name, encoding), encoding
    for mark, marked in _MARKS:
        if content.startswith(mark):
            return _strict(content, name, marked), marked
    at_home = _AT_HOME.get(currency)
    candidates = _candidates(content, at_home)
    readable: list[tuple[str, str]] = []
    for candidate in candidates:
        try:
            text = content.decode(candidate)
        except UnicodeDecodeError as error:
            if candidate == "utf-8" and _is_faulty_utf_8(content):
                line = content.count(b"\n", 0, error.start) + 1
                raise LandingError(
                    f"{name} is UTF-8 but for some bytes, the first in line {line}; "
                    "mend them, or add 'encoding: …' to the mapping"
                ) from None
            continue
        if candidate == at_home and not _has_everyday_characters(text, candidate):
            continue
        if has_columns(text):
            return text, candidate
        readable.append((text, candidate))
    if readable:  # the header is missing in every reading; the reader of the table says which column
        return readable[0]
    raise LandingError(f"{name}: the bytes are text in none of {', '.join(candidates)}; add 'encoding: …' to the mapping")


def _candidates(content: bytes, at_home: str | None) -> tuple[str, ...]:
    if content[:4096].count(0) > len(content[:4096]) // 4:
        return ("utf-16-le", "utf-16-be")
    groups = (_EAST_ASIAN, _WESTERN) if _pairs_of_high_bytes(content) >= 0.9 else (_WESTERN, _EAST_ASIAN)
    return tuple(dict.fromkeys(("utf-8", *([at_home] if at_home else []), *groups[0], *groups[1])))


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


def _is_faulty_utf_8(content: bytes) -> bool:
    """Whether more characters beyond ASCII are right UTF-8 than not; in other encodings hardly one is by chance."""
    text = content.decode("utf-8", "replace")
    good = sum(character > "\x7f" and character != "\ufffd" for character in text)
    return good > 0 and good >= text.count("\ufffd")


def _has_everyday_characters(text: str, encoding: str) -> bool:
    """Whether a third of the characters beyond ASCII is everyday ones of its language; a wrong encoding makes rare ones."""
    foreign = [character for character in text[:_LOOKED_AT] if character > "\x7f"]
    return sum(_is_everyday(character, encoding) for character in foreign) * 3 >= len(foreign)


@lru_cache(maxsize=1 << 14)
def _is_everyday(character: str, encoding: str) -> bool:
    if encoding not in _EVERYDAY:
        return character.isalpha()
    code = character.encode(encoding, "replace")
    first, last = _EVERYDAY[encoding]
    return (
        (len(code) == 2 and first <= code[0] <= last) or "\u3041" <= character <= "\u30fe" or "\uff66" <= character <= "\uff9f"
    )


def _strict(content: bytes, name: str, encoding: str) -> str:
    try:
        codec = codecs.lookup(encoding)
        text = content.decode(codec.name)
        text.encode()  # some encodings bring halves of characters
    except (LookupError, UnicodeEncodeError):
        raise LandingError(f"encoding: {encoding!r} is not known; write one such as gb18030, utf-16 or cp1252") from None
    except UnicodeDecodeError as error:
        raise LandingError(f"{name} is not {encoding}: byte {error.start}; correct 'encoding' in the mapping") from None
    except ValueError as error:  # of encodings that are not for files, such as punycode
        raise LandingError(f"{name} is not {encoding}: {error}; correct 'encoding' in the mapping") from None
    return text
