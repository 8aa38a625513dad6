"""What every surface is given: JSON of odd shapes, texts that are no JSON, events of the contract and broken ones.

``@fuzzed("surface")`` makes a property of it: as many inputs as the profile of hypothesis says (``--hypothesis-profile=fuzz``),
each counted.
"""

from __future__ import annotations

import copy
import functools
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

COUNTED: Counter[str] = Counter()
GOLDEN = Path(__file__).parent.parent / "golden" / "contract_v1"
EXAMPLES = [json.loads(line) for file in sorted(GOLDEN.glob("*.jsonl")) for line in file.read_text().splitlines()]


def fuzzed(surface: str, **strategies: st.SearchStrategy[Any]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """A property of a surface, with its inputs counted."""

    def decorate(check: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(check)
        def counting(*args: Any, **kwargs: Any) -> None:
            COUNTED[surface] += 1
            check(*args, **kwargs)

        quiet = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
        phases = [phase for phase in Phase if phase is not Phase.explain]  # which takes minutes
        return settings(deadline=None, suppress_health_check=quiet, phases=phases)(given(**strategies)(counting))

    return decorate


def check_refusal(error: Exception, named: str = "") -> None:
    """A refusal is a sentence that names its file."""
    assert named in str(error)
    assert len(str(error)) > 15


# Texts as people and programs write them, with what breaks programs among them.
ODD_TEXTS = st.sampled_from(
    [
        *(
            "",
            " ",
            "null",
            "NaN",
            "undefined",
            "None",
            "true",
            "0",
            "-0",
            "1e999999",
            "Infinity",
            "9" * 40,
            "a\tb",
            "a\nb",
            "\r",
        ),
        *("\ufeffx", "e\u0301", "é", "😀", "\u202e", "\u2028", "\x85", "\x1c", "page:x", "import:x", "__proto__"),
        *("汉服 马面裙", "=cmd|' /C calc'!A0", "'; drop table x;--", "\x7f", "ﬁ", "½", "١٢٣", "１２", "ß", "İ"),
    ]
)
TEXTS = st.text(max_size=12) | ODD_TEXTS | st.sampled_from([200, 201, 2000, 2001]).map("x".__mul__)
LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.sampled_from([0, 1, -1, 2**31, 2**53 - 1, 2**53, 2**63 - 1, 0.1, -0.0, 1e30, 5e-324, 1.5, 2.0, float(2**53)]),
    st.floats(allow_nan=False, allow_infinity=False),
    TEXTS,
)


def nested(value: Any, levels: int) -> Any:
    """The value below so many levels."""
    for level in range(levels):
        value = [value] if level % 2 else {"d": value}
    return value


# What JSON in UTF-8 holds and a contract may keep: no NUL, no half of a character.
PLAIN_TEXTS = TEXTS.filter(lambda text: "\0" not in text)
PLAIN_LEAVES = LEAVES.filter(lambda leaf: not (isinstance(leaf, str) and "\0" in leaf))
PLAIN_JSON = st.recursive(
    PLAIN_LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(PLAIN_TEXTS, inner, max_size=4),
    max_leaves=8,
) | st.builds(nested, PLAIN_LEAVES, st.integers(0, 200))
# And what it should not: every value of Python's json, with halves of characters, NUL, numbers without measure.
ANY_TEXTS = TEXTS | st.text(st.characters(codec=None, exclude_categories=()), max_size=6)
ANY_JSON = st.recursive(
    LEAVES | ANY_TEXTS | st.integers() | st.floats() | st.sampled_from([10**30, -(10**400), 2**63, 2**64]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(ANY_TEXTS, inner, max_size=4),
    max_leaves=8,
)
# Values that a field of the contract may meet.
FIELD_VALUES = st.one_of(
    ANY_JSON,
    st.sampled_from([[], {}, [None], [{}], [[]], {"item_id": "i"}, [{"item_id": "i"}], ["a", " "]]),
    st.sampled_from([250, 251, 252, 253, 300]).map(lambda levels: nested(1, levels)),
    st.sampled_from(["EUR", "eur", "ZZZ", "XAU", "JPY", "KWD", "active", "gone", "absent", "b", "lanting"]),
    st.sampled_from(
        ["2026-09-01T08:00:00Z", "2026-09-01T08:00:00", "2026-09-01", "2026-09-01 08:00+0800", "0001-01-01T00:00:00Z"]
    ),
    st.sampled_from(["9999-12-31T23:59:59.999Z", "2099-01-01T00:00:00Z", "1969-12-31T23:59:59Z", "2026-13-01T08:00:00Z"]),
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a JSON value, as the keys and indices that lead to it."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return ([path] if path else []) + [place for key, entry in inner for place in places(entry, (*path, key))]


@st.composite
def broken_events(draw: st.DrawFn, shop_id: str) -> Any:
    """An event of the contract with one to three places changed, taken away or added; it may still be good."""
    event = copy.deepcopy(draw(st.sampled_from(EXAMPLES))) | {"shop_id": shop_id}
    for _ in range(draw(st.integers(1, 3))):
        here = places(event)
        if not here:
            break
        path = draw(st.sampled_from(here))
        target = event
        for key in path[:-1]:
            target = target[key]
        change = draw(st.sampled_from(["replace", "replace", "remove", "add"]))
        if change == "replace":
            target[path[-1]] = copy.deepcopy(draw(FIELD_VALUES))
        elif change == "remove":
            del target[path[-1]]
        elif isinstance(target, dict):
            target[draw(st.sampled_from(["sent_at", "home_currency", "filled", "currency", "discount_minor"]) | ANY_TEXTS)] = (
                copy.deepcopy(draw(FIELD_VALUES))
            )
    return event


def as_json(value: Any) -> bytes:
    """JSON of any value of Python's json, halves of characters as escapes."""
    return json.dumps(value).encode()


# Texts of one element of a JSON array that are no JSON, though brackets and quotes close.
NO_JSON = st.sampled_from(
    [
        *(b"nonsense", b"1 2", b"NaN", b"-Infinity", b"1e999", b"01", b"+1", b"1.", b".5", b"0x1", b"'a'", b'"a" "b"', b"\x00"),
        *(b"\xff", b'"\xed\xa0\xbd"', b'"\xba\xba"', rb'"\ud83d"', rb'"\x"', b'"a\nb"', b'{"a"}', b"{1:2}", b'{"a":1,"a":2}'),
        *(b"[1,]", b"{,}", b"\xef\xbb\xbf{}", b"/**/1", b"tru", b"-"),
    ]
) | st.one_of(
    st.sampled_from([252, 253, 254, 255, 600]).map(lambda levels: b"[" * levels + b"]" * levels),
    st.sampled_from([19, 20, 21, 5000]).map(lambda digits: b"9" * digits),
)
