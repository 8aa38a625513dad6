"""What the catalogue of a shop was when an answer was given: its items when they were joined with the release, and every change
since, so that a logged answer can be made again from the same items.

Nothing is written for a shop whose answers nobody logs with their inputs. A file ``<id>.items.jsonl.gz`` has the items of the
join, ``<id>.changes.jsonl`` the changes, in their order.
"""

from __future__ import annotations

import gzip
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from threading import Lock
from typing import Any
from uuid import uuid4

import orjson

from serving.catalogue import Item, Version

KEPT_S = 8 * 86_400
MOST_PENDING = 50_000  # changes that wait to be written; a shop with more is joined anew
_AT_ONCE = 10_000  # items that are turned into text without a pause for requests


class CatalogueLost(LookupError):
    """The items of a logged answer are not there any more, or not all of them."""


@dataclass
class JoinedItems:
    """The items of a join and the changes after it. ``begun`` and ``done`` count changes: a request that finds at its end no
    more begun than were done at its start has seen exactly so many.
    """

    items: Mapping[str, Item] | None
    id: str = field(default_factory=lambda: uuid4().hex)
    begun: int = 0
    done: int = 0
    _pending: list[Item] = field(default_factory=list)
    _lock: Lock = field(default_factory=Lock)

    @property
    def is_full(self) -> bool:
        """Whether so many changes wait that the shop is to be joined anew."""
        return len(self._pending) >= MOST_PENDING

    def begin(self, item: Item) -> None:
        """A change is about to be applied."""
        with self._lock:
            self._pending.append(item)
            self.begun += 1

    def end(self) -> None:
        """It is applied."""
        self.done += 1

    def write(self, folder: Path) -> None:
        """Write what is not written yet. Raises OSError, and then nothing is forgotten."""
        with self._lock:
            items, pending = self.items, self._pending
            self.items, self._pending = None, []
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if items is not None:
                _write_items(folder / f"{self.id}.items.jsonl.gz", items)
            with (folder / f"{self.id}.changes.jsonl").open("ab") as file:
                file.write(b"".join(map(_line, pending)))
        except OSError:
            with self._lock:
                self.items, self._pending = items, pending + self._pending
            raise
        os.utime(folder / f"{self.id}.items.jsonl.gz")


def items_then(folder: Path, id_: str, changes: int) -> tuple[dict[str, Item], list[Item]]:
    """The items of a join and the first so many changes after it. Raises CatalogueLost."""
    items, changed = folder / f"{id_}.items.jsonl.gz", folder / f"{id_}.changes.jsonl"
    try:
        with gzip.open(items, "rb") as file:
            joined = {item.item_id: item for item in map(_item, file)}
        with changed.open("rb") as file:
            after = [_item(line) for line in islice(file, changes)]
    except (OSError, EOFError, orjson.JSONDecodeError, TypeError) as error:
        raise CatalogueLost(f"the items of that time cannot be read: {error}") from error
    if len(after) < changes:
        raise CatalogueLost(f"{changed} has {len(after)} changes of {changes}")
    return joined, after


def drop_old(folder: Path, now_s: float | None = None) -> None:
    """Delete what no kept answer names any more."""
    oldest = (time.time() if now_s is None else now_s) - KEPT_S
    for file in folder.glob("*/*"):
        with suppress(FileNotFoundError):  # another process was first
            stale = file.with_name(f"{file.name.partition('.')[0]}.items.jsonl.gz")
            if (stale if stale.exists() else file).stat().st_mtime < oldest:
                file.unlink()


def _write_items(target: Path, items: Mapping[str, Item]) -> None:
    with gzip.open(target, "wb", compresslevel=3) as file:
        for some in _in_parts(list(items.values())):
            file.write(b"".join(map(_line, some)))


def _in_parts(items: Sequence[Item]) -> Iterator[Sequence[Item]]:
    for first in range(0, len(items), _AT_ONCE):
        yield items[first : first + _AT_ONCE]


def _line(item: Item) -> bytes:
    return orjson.dumps(item, default=tuple) + b"\n"


def _item(line: bytes) -> Item:
    fields: dict[str, Any] = orjson.loads(line)
    attributes = tuple((str(name), str(value)) for name, value in fields.pop("attributes"))
    return Item(**fields | {"version": Version(*fields["version"]), "attributes": attributes})
