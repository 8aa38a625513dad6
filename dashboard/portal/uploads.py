"""Files that a shop's people upload: each upload a folder below its shop's, with what was asked, and what came of it.

Steps run in a process of their own (``dashboard.portal.upload_run``), one a shop, so that a portal that restarts loses none.
The shop's lock is held by that process and its children: an upload that says it runs and whose shop is free was cut off.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import secrets
import shutil
import subprocess
import time
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO, Literal

from pydantic import BaseModel

from dashboard.portal.upload_kinds import KINDS, OWN_MAPPING, UploadKind, import_steps, look_steps
from jishi.files import write_json
from jishi.paths import Paths
from jishi.settings import PROJECT_ROOT, Settings

LARGEST_UPLOAD = 256 * 2**20
KEPT_UPLOADS = 20
_TORN_AFTER_S = 24 * 3600.0
Act = Literal["look", "import"]
State = Literal["new", "running", "looked", "done", "failed", "cut off"]
_ID = re.compile(r"[0-9a-f]{16}")
_KEPT_OUT_OF_NAMES = re.compile(r"[^\w.\-]+")


class NoSuchUpload(LookupError):
    """The shop has no such upload."""


class ShopIsBusy(RuntimeError):
    """Another upload of the shop runs."""


class BadUpload(ValueError):
    """No file, too many files, or no such layout."""


class Upload(BaseModel):
    """What was asked: files in their order, the layout of their columns, and options of the command."""

    upload_id: str
    kind: str
    files: list[str]
    layout: str | None
    options: list[str]
    login: str
    at: datetime


class Progress(BaseModel):
    """How far an upload is: ``step`` of ``steps`` runs or ended with ``code``; ``act`` is what it does or did last."""

    act: Act
    step: int = 0
    steps: int = 1
    code: int | None = None


class Uploads:
    """Uploads of a platform's shops, below ``var/portal/uploads``."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._folder = Paths.of(settings).portal_database.parent / "uploads"
        self._children: list[subprocess.Popen[bytes]] = []  # the ended ones are waited for at the next start

    def keep(
        self,
        shop_id: str,
        kind: UploadKind,
        files: Sequence[tuple[str, BinaryIO]],
        layout: str | None,
        mapping: bytes | None,
        options: Sequence[str],
        login: str,
        now: datetime,
    ) -> Upload:
        """Copy the files into a folder of the shop; the oldest uploads go. Raises BadUpload."""
        if not 1 <= len(files) <= kind.most_files:
            raise BadUpload("files")
        if (layout not in (*kind.layouts, OWN_MAPPING) if kind.presets else layout is not None) or (
            (layout == OWN_MAPPING) != (mapping is not None)
        ):
            raise BadUpload("layout")
        self._forget_torn(shop_id)
        upload_id = secrets.token_hex(8)
        folder = self._made_for(shop_id) / upload_id
        folder.mkdir(mode=0o700)
        names = [f"{number}-{safe_name(name)}" for number, (name, _) in enumerate(files, 1)]
        before = self.all(shop_id)
        # Of two in the same microsecond, or after the clock went back, the later one is still the newest.
        at = max(now, before[0].at + timedelta(microseconds=1)) if before else now
        upload = Upload(upload_id=upload_id, kind=kind.name, files=names, layout=layout, options=[*options], login=login, at=at)
        try:
            for name, (_, content) in zip(names, files, strict=True):
                with (folder / name).open("xb") as out:
                    shutil.copyfileobj(content, out)
            if mapping is not None:
                (folder / "mapping.yaml").write_bytes(mapping)
            write_json(folder / "upload.json", upload.model_dump(mode="json"))
        except OSError:  # a full disk gets its room back
            shutil.rmtree(folder, ignore_errors=True)
            raise
        with suppress(ShopIsBusy, NoSuchUpload):  # the next upload deletes them, or another one did
            for old in before[KEPT_UPLOADS - 1 :]:
                self.delete(shop_id, old.upload_id)
        return upload

    def _forget_torn(self, shop_id: str) -> None:
        """Take away what a portal that died while it copied has left: a folder of a day ago that says of no upload."""
        for folder in self._of_shop(shop_id).glob("*/"):
            with suppress(FileNotFoundError):
                if not (folder / "upload.json").exists() and time.time() - folder.stat().st_mtime > _TORN_AFTER_S:
                    shutil.rmtree(folder, ignore_errors=True)

    def all(self, shop_id: str) -> list[Upload]:
        """A shop's uploads, newest first."""
        uploads = []
        for file in self._of_shop(shop_id).glob("*/upload.json"):
            with suppress(FileNotFoundError):  # deleted meanwhile
                uploads.append(Upload.model_validate_json(file.read_bytes()))
        return sorted(uploads, key=lambda upload: upload.at, reverse=True)

    def get(self, shop_id: str, upload_id: str) -> Upload:
        """An upload of the shop. Raises NoSuchUpload."""
        file = self._of_shop(shop_id) / upload_id / "upload.json"
        if not _ID.fullmatch(upload_id) or not file.exists():
            raise NoSuchUpload(upload_id)
        return Upload.model_validate_json(file.read_bytes())

    def delete(self, shop_id: str, upload_id: str) -> None:
        """Forget an upload and its files. Raises NoSuchUpload, and ShopIsBusy while one of the shop runs."""
        self.get(shop_id, upload_id)
        with self._lock(shop_id):
            shutil.rmtree(self._of_shop(shop_id) / upload_id)

    def start(self, shop_id: str, upload_id: str, act: Act) -> None:
        """Begin to look at the files, or to import them. Raises NoSuchUpload and ShopIsBusy."""
        upload = self.get(shop_id, upload_id)
        folder = self._of_shop(shop_id) / upload_id
        files = [folder / name for name in upload.files]
        mapping = [*self._mapping(upload, folder), *upload.options]
        make = look_steps if act == "look" else import_steps
        steps = make(KINDS[upload.kind], shop_id, files, mapping)
        with self._lock(shop_id) as held:
            write_json(folder / "steps.json", steps)
            write_json(folder / "progress.json", Progress(act=act, steps=len(steps)).model_dump())
            command = [str(Paths.main_python()), "-P", "-m", "dashboard.portal.upload_run", str(folder), act, str(held)]
            variables = {"JISHI_VAR": str(self._settings.var), "JISHI_ENVS": str(self._settings.envs)}
            child = subprocess.Popen(
                ["nice", "-n", "10", *command],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                cwd=PROJECT_ROOT,
                env=os.environ | variables | {"PYTHONPATH": str(PROJECT_ROOT)},
                pass_fds=[held],
                start_new_session=True,
            )
        self._children = [other for other in self._children if other.poll() is None] + [child]

    def progress(self, shop_id: str, upload_id: str) -> tuple[State, Progress | None]:
        """How far an upload is. Raises NoSuchUpload."""
        self.get(shop_id, upload_id)
        file = self._of_shop(shop_id) / upload_id / "progress.json"
        if not file.exists():
            return "new", None
        progress = Progress.model_validate_json(file.read_bytes())
        if progress.code is None:
            return ("running" if self.is_busy(shop_id) else "cut off"), progress
        if progress.code:
            return "failed", progress
        return ("looked" if progress.act == "look" else "done"), progress

    def output(self, shop_id: str, upload_id: str, act: Act) -> str:
        """What the commands of an act printed, without the server's folders. Raises NoSuchUpload."""
        self.get(shop_id, upload_id)
        folder = self._of_shop(shop_id) / upload_id
        file = folder / f"{act}.txt"
        text = file.read_text(encoding="utf-8", errors="replace") if file.exists() else ""
        for place, shown in ((f"{folder}/", ""), (f"{self._settings.var}/", "")):
            text = text.replace(place, shown)
        return text

    def is_busy(self, shop_id: str) -> bool:
        """Whether an upload of the shop runs."""
        try:
            with self._lock(shop_id, wait_s=0):
                return False
        except ShopIsBusy:
            return True

    @contextmanager
    def _lock(self, shop_id: str, wait_s: float = 1.0) -> Iterator[int]:
        with (self._made_for(shop_id) / ".lock").open("ab") as file:
            until = time.monotonic() + wait_s
            while True:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() >= until:
                        raise ShopIsBusy(shop_id) from None
                    time.sleep(0.05)
            # Whoever inherits the open file holds the lock until it ends.
            yield file.fileno()

    def _of_shop(self, shop_id: str) -> Path:
        return self._folder / shop_id

    def _made_for(self, shop_id: str) -> Path:
        """The shop's folder, which nobody else on the machine reads: it holds what its customers bought."""
        for folder in (self._folder, self._of_shop(shop_id)):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return self._of_shop(shop_id)

    @staticmethod
    def _mapping(upload: Upload, folder: Path) -> list[str]:
        if upload.layout is None:
            return []
        return ["--map", str(folder / "mapping.yaml")] if upload.layout == OWN_MAPPING else ["--preset", upload.layout]


def preview_of(text: str) -> dict[str, Any] | None:
    """The JSON that a trial printed; None for a command that prints text for people."""
    try:
        document = json.loads(text)
    except json.JSONDecodeError:
        return None
    return document if isinstance(document, dict) else None


def safe_name(name: str) -> str:
    """A file's name without folders and odd signs, whatever a browser sends.

    >>> safe_name("../../etc/pass wd"), safe_name("订单 (1).csv"), safe_name("..")
    ('pass_wd', '订单_1_.csv', 'file')
    """
    plain = unicodedata.normalize("NFC", name).replace("\\", "/").rpartition("/")[2]
    return _KEPT_OUT_OF_NAMES.sub("_", plain).lstrip(".-")[-60:] or "file"
