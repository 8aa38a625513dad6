"""What was taken back of the links between devices and users, a JSON line each: somebody said that the two are not one person.

The file is ``Paths.unlinks``. A line takes back the evidence that was known up to it; a later login links the two again
(``jishi.identity``). It is applied when silver of the shop is built the next time.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import orjson

from jishi.files import append_line
from jishi.identity import Unlink


class ShopUnlink(NamedTuple):
    """An unlink in one shop, and why it was asked for."""

    shop_id: str
    anonymous_id: str
    user_id: str
    known_at_ms: int
    reason: str

    @property
    def unlink(self) -> Unlink:
        """The same for the rule, which knows one shop."""
        return Unlink(self.anonymous_id, self.user_id, self.known_at_ms)


class UnlinksUnreadable(ValueError):
    """A line of the file is no unlink; names file and line."""


def add_unlink(path: Path, unlink: ShopUnlink) -> None:
    """Add one to the file."""
    append_line(path, orjson.dumps(unlink._asdict()).decode())


def read_unlinks(path: Path) -> Iterator[ShopUnlink]:
    """All of the file, none without one. Raises UnlinksUnreadable: what was taken back must not come back in silence."""
    if not path.exists():
        return
    for number, line in enumerate(path.read_bytes().splitlines(), start=1):
        try:
            fields = orjson.loads(line)
            unlink = ShopUnlink(**fields)
        except (orjson.JSONDecodeError, TypeError) as error:
            raise UnlinksUnreadable(f"{path}, line {number}: {error}; mend the line or take it out") from None
        if not isinstance(unlink.known_at_ms, int) or not all(isinstance(text, str) for text in unlink[:3]):
            raise UnlinksUnreadable(f"{path}, line {number}: ids must be text and known_at_ms an integer")
        yield unlink
