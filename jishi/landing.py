"""Landing files: history from elsewhere as JSON lines with a manifest, one folder a shop.

``<folder>/<shop_id>/events-00000.jsonl …`` holds one raw event a line in the order in which they became known;
``manifest.json`` beside them says whose they are, where they came from, and the lines and SHA-256 of each file. The simulator
and the importers write them, the collector's landing step reads them. A record of history is named by its shop and its line
number, counted from 0 across the files in order.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import BaseModel, ValidationError

from jishi.contract.fields import Currency, ShopId
from jishi.files import fsync_folder, write_json

LINES_PER_FILE = 50_000
BYTES_PER_FILE = 16 * 2**20
MANIFEST = "manifest.json"


class LandingError(ValueError):
    """A landing folder that is missing, incomplete or not what its manifest says; the message names the file and the fix."""


class ShopFacts(BaseModel):
    """What the registry needs to know of the shop."""

    name: str
    time_zone: str
    currency: Currency


class LandedFile(BaseModel):
    """One file of events: its name, its lines, and the SHA-256 of its bytes."""

    name: str
    lines: int
    sha256: str


class Manifest(BaseModel):
    """Content of ``manifest.json``; ``lines`` is the number of accepted events of the shop's history.

    ``imports`` names what was added to it, one after the other, so that the same files count once.
    """

    shop_id: ShopId
    shop: ShopFacts
    source: str
    lines: int
    files: list[LandedFile]
    imports: list[str] = []


def set_aside(folder: Path) -> Path:
    """Where the folder of a shop lies for the moment in which a new one takes its place."""
    return folder.with_name(f".{folder.name}.old")


def settle(folder: Path) -> None:
    """Finish or undo a replacement that a crash cut off: the shop's folder is the new one, or the old one again."""
    old = set_aside(folder)
    if old.exists() and not folder.exists():
        old.rename(folder)


def replace_folder(draft: Path, final: Path) -> None:
    """Put a whole draft in the place of a shop's folder; after a crash ``settle`` gives one of both, never none.

    The draft's names are on disk before the old folder moves, and the new one's before the old one goes.
    """
    settle(final)
    old = set_aside(final)
    shutil.rmtree(old, ignore_errors=True)
    fsync_folder(draft)
    if final.exists():
        final.rename(old)
    draft.rename(final)
    fsync_folder(final.parent)
    shutil.rmtree(old, ignore_errors=True)


def landed_lines(folder: Path) -> Iterator[bytes]:
    """The lines of a shop's landing files, in order; none when it has no folder."""
    settle(folder)
    if not (folder / MANIFEST).exists():
        return
    for landed in load_manifest(folder).files:
        with (folder / landed.name).open("rb") as file:
            yield from file


def load_manifest(folder: Path) -> Manifest:
    """The manifest of one shop's folder. Raises LandingError when there is none or it does not add up."""
    settle(folder)
    file = folder / MANIFEST
    try:
        manifest = Manifest.model_validate(json.loads(file.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise LandingError(f"{file} does not exist; write landing files first (journey, events, or the simulator)") from None
    except ValidationError as error:
        field = ".".join(str(part) for part in error.errors()[0]["loc"])
        raise LandingError(f"{file}: field {field!r} is not right; write the landing files again") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise LandingError(f"{file} is not JSON ({error}); write the landing files again") from None
    if manifest.lines != sum(f.lines for f in manifest.files):
        raise LandingError(f"{file}: lines is {manifest.lines} but its files add up to {sum(f.lines for f in manifest.files)}")
    return manifest


def checked_files(folder: Path) -> list[Path]:
    """The files of one shop in their order. Raises LandingError for one that is missing or not what its manifest says."""
    for landed in (files := load_manifest(folder).files):
        file = folder / landed.name
        if not file.exists():
            raise LandingError(f"{file} is named by {MANIFEST} and is not there; write the landing files again")
        if hashlib.sha256(file.read_bytes()).hexdigest() != landed.sha256:
            raise LandingError(f"{file} has another content than {MANIFEST} says (sha256); write the landing files again")
    return [folder / landed.name for landed in files]


def landed_shops(root: Path) -> list[str]:
    """Shops that have a manifest below ``root``, sorted."""
    for old in root.glob(".*.old"):
        settle(root / old.name[1 : -len(".old")])
    return sorted(file.parent.name for file in root.glob(f"*/{MANIFEST}") if not file.parent.name.startswith("."))


class LandingWriter:
    """Collects lines (without line ends) and writes them in files of bounded size; made by ``write_landing``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.files: list[LandedFile] = []
        self._buffer = bytearray()
        self._buffered_lines = 0

    def write(self, lines: Iterable[bytes]) -> None:
        """Append lines; none may contain a line end."""
        for line in lines:
            self._buffer += line
            self._buffer += b"\n"
            self._buffered_lines += 1
            if self._buffered_lines >= LINES_PER_FILE or len(self._buffer) >= BYTES_PER_FILE:
                self.flush()

    def flush(self) -> None:
        """Write what is buffered as the next file."""
        if not self._buffer:
            return
        name = f"events-{len(self.files):05d}.jsonl"
        with (self.folder / name).open("wb") as file:
            file.write(self._buffer)
            file.flush()
            os.fsync(file.fileno())
        digest = hashlib.sha256(self._buffer).hexdigest()
        self.files.append(LandedFile(name=name, lines=self._buffered_lines, sha256=digest))
        self._buffer, self._buffered_lines = bytearray(), 0

    @property
    def lines(self) -> int:
        """Lines written so far, buffered ones included."""
        return sum(f.lines for f in self.files) + self._buffered_lines


@contextmanager
def write_landing(root: Path, shop_id: str, shop: ShopFacts, source: str) -> Iterator[LandingWriter]:
    """Write the landing folder of one shop below ``root``; it replaces the old one only when the block ends without error."""
    final = root / shop_id
    draft = root / f".{shop_id}.draft-{os.getpid()}"
    draft.mkdir(parents=True)
    try:
        writer = LandingWriter(draft)
        yield writer
        writer.flush()
        manifest = Manifest(shop_id=shop_id, shop=shop, source=source, lines=writer.lines, files=writer.files)
        write_json(draft / MANIFEST, manifest.model_dump(mode="json"))
        replace_folder(draft, final)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
