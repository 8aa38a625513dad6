"""What the catalogue of a shop was when an answer was given: its items when they were joined with the release, and every change
since, so that a logged answer can be made again from the same items.

Nothing is written for a shop whose answers nobody logs with their inputs. A file ``<id>.items.jsonl.gz`` has the items of the
join, ``<id>.changes.jsonl`` the changes, in their order.
"""

from __future__ import annotations

import gzip
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from errno import ENOSPC
from itertools import islice
from pathlib import Path
from threading import Lock
from typing import Any, Protocol
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

    ``items`` are those of the catalogue and change with it; what stood there before a change is kept until they are written, so
    that no shop's items are held twice.
    """

    items: Mapping[str, Item] | None
    id: str = field(default_factory=lambda: uuid4().hex)
    begun: int = 0
    done: int = 0
    _before: dict[str, Item | None] = field(default_factory=dict)
    _pending: list[Item] = field(default_factory=list)
    _lock: Lock = field(default_factory=Lock)

    @property
    def is_full(self) -> bool:
        """Whether so many changes wait that the shop is to be joined anew."""
        return len(self._pending) >= MOST_PENDING

    def begin(self, item: Item) -> None:
        """A change is about to be applied."""
        with self._lock:
            if self.items is not None:
                self._before.setdefault(item.item_id, self.items.get(item.item_id))
            self._pending.append(item)
            self.begun += 1

    def end(self) -> None:
        """It is applied."""
        self.done += 1

    def write(self, folder: Path) -> None:
        """Write what is not written yet. Raises OSError, and then nothing is forgotten."""
        with self._lock:
            items, pending = self._joined(), self._pending
            self.items, self._before, self._pending = None, {}, []
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if items is not None:
                _write_items(folder / f"{self.id}.items.jsonl.gz", items)
            _append(folder / f"{self.id}.changes.jsonl", b"".join(map(_line, pending)))
        except OSError:
            with self._lock:
                self.items, self._pending = items, pending + self._pending
            raise
        os.utime(folder / f"{self.id}.items.jsonl.gz")

    def _joined(self) -> dict[str, Item] | None:
        """The items as they were joined: a copy that nobody changes."""
        if self.items is None:
            return None
        joined = dict(self.items)
        for item_id, item in self._before.items():
            if item is None:
                joined.pop(item_id, None)
            else:
                joined[item_id] = item
        return joined


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


class Dated(Protocol):
    """A logged answer, with the items that it was made from where it is logged with its inputs."""

    @property
    def shop_id(self) -> str:
        """The shop."""

    @property
    def joined(self) -> JoinedItems | None:
        """Its items."""


@dataclass
class KeptCatalogues:
    """Writes what logged answers were made from, below ``folder``, and deletes what no kept answer names any more."""

    folder: Path
    now_s: Callable[[], float] = time.time
    _cleaned_at: float = 0.0

    def keep(self, logged: Sequence[Dated]) -> None:
        """Write the items of these answers. Raises OSError, which names no shop, when all shops had their turn."""
        named = {id(entry.joined): (entry.shop_id, entry.joined) for entry in logged if entry.joined is not None}
        failure: OSError | None = None
        for shop_id, joined in named.values():
            try:
                joined.write(self.folder / shop_id)
            except OSError as error:
                failure = OSError(error.errno, error.strerror, str(self.folder))
        if failure is not None:
            raise failure
        if self.now_s() - self._cleaned_at > 86_400:  # also while no answer is logged with its inputs any more
            self._cleaned_at = self.now_s()
            self._clean()

    def _clean(self) -> None:
        for items in self.folder.glob("*/*.items.jsonl.gz"):
            if self.now_s() - items.stat().st_mtime > KEPT_S:
                items.unlink()
                items.with_name(items.name.replace(".items.jsonl.gz", ".changes.jsonl")).unlink(missing_ok=True)


def _append(target: Path, lines: bytes) -> None:
    """All of the lines or none: what a full disk took of them is cut off. Raises OSError."""
    with target.open("ab", buffering=0) as file:
        size = file.tell()
        if (written := file.write(lines)) < len(lines):
            file.truncate(size)
            raise OSError(ENOSPC, f"no space for {len(lines) - written} bytes", str(target))


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
