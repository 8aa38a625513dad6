"""Landing files that are written in more than one go: what is on disk when an import is cut off is not made again."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

from jishi.files import write_json
from jishi.landing import (
    MANIFEST,
    LandedFile,
    LandingError,
    LandingWriter,
    Manifest,
    ShopFacts,
    load_manifest,
    replace_folder,
    set_aside,
    settle,
)

_PROGRESS = ".progress.json"


class ResumableWriter(LandingWriter):
    """A landing writer that notes each file. ``resumed`` lines were there already: ``write`` passes over as many.

    An import that ``was_added_before`` to the history writes nothing.
    """

    was_added_before = False

    def __init__(self, folder: Path, fingerprint: str, files: list[LandedFile], kept_files: int) -> None:
        super().__init__(folder)
        self.files = files
        self._fingerprint = fingerprint
        self._kept_files = kept_files
        self.resumed = sum(file.lines for file in files[kept_files:])

    def write(self, lines: Iterable[bytes]) -> None:
        """Append the lines of the import from its first on; those that are on disk are made and passed over."""
        if self.was_added_before:
            return
        super().write(islice(lines, self.resumed, None))

    def flush(self) -> None:
        """Write what is buffered as the next file, and note it."""
        super().flush()
        files = [file.model_dump() for file in self.files]
        write_json(self.folder / _PROGRESS, {"fingerprint": self._fingerprint, "kept": self._kept_files, "files": files})


def fingerprint_of(files: Iterable[Path], *parts: str) -> str:
    """Names an import: the content of its files and what else decides its lines."""
    digest = hashlib.sha256()
    for file in files:
        with file.open("rb") as stream:
            digest.update(hashlib.file_digest(stream, "sha256").digest())
    for part in parts:
        digest.update(hashlib.sha256(part.encode()).digest())
    return digest.hexdigest()


@contextmanager
def resumable_landing(
    root: Path, shop_id: str, shop: ShopFacts, source: str, fingerprint: str, *, add: bool
) -> Iterator[ResumableWriter]:
    """Write the landing folder of one shop below ``root``; it replaces the old one when the block ends without error.

    ``add`` keeps the lines that the shop has and goes on behind them; what was added before is not added again. An import that
    is cut off leaves its files aside; the same one (equal ``fingerprint``) goes on from there, another one starts anew. Raises
    LandingError when nothing was written, and what was there before stays.
    """
    final, draft = root / shop_id, root / f".{shop_id}.import"
    settle(final)
    kept = load_manifest(final) if add and (final / MANIFEST).exists() else None
    imported = fingerprint
    if kept is not None and imported in kept.imports:
        for left in (draft, set_aside(final)):  # by the crash behind which it is added again
            shutil.rmtree(left, ignore_errors=True)
        nothing = ResumableWriter(final, fingerprint, list(kept.files), len(kept.files))
        nothing.was_added_before = True
        yield nothing
        return
    if kept is not None:
        fingerprint = hashlib.sha256(f"{fingerprint} behind {kept.model_dump_json()}".encode()).hexdigest()
        source = f"{kept.source}; {source}"
    files = _files_on_disk(draft, fingerprint)
    if files is None:
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(parents=True)
        files = list(kept.files) if kept else []
        for file in files:
            os.link(final / file.name, draft / file.name)
    writer = ResumableWriter(draft, fingerprint, files, len(kept.files) if kept else 0)
    yield writer
    writer.flush()
    if writer.lines == (kept.lines if kept else 0):
        shutil.rmtree(draft)
        raise LandingError(f"{source}: there is no event in it; nothing was imported, and what was there before is kept")
    (draft / _PROGRESS).unlink()
    before = kept.imports if kept else []
    manifest = Manifest(
        shop_id=shop_id, shop=shop, source=source, lines=writer.lines, files=writer.files, imports=[*before, imported]
    )
    write_json(draft / MANIFEST, manifest.model_dump(mode="json"))
    replace_folder(draft, final)


def _files_on_disk(draft: Path, fingerprint: str) -> list[LandedFile] | None:
    """Files of the same import that were written before; the last one may be torn by a crash and is checked."""
    try:
        noted = json.loads((draft / _PROGRESS).read_text(encoding="utf-8"))
    except (FileNotFoundError, json.JSONDecodeError):
        return None
    if noted["fingerprint"] != fingerprint:
        return None
    files = [LandedFile.model_validate(file) for file in noted["files"]]
    for file in files:
        path = draft / file.name
        if not path.exists() or hashlib.sha256(path.read_bytes()).hexdigest() != file.sha256:
            return None
    return files
