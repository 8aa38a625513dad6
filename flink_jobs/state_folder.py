"""A folder of Flink's states, on a disk or in an object store: this process finds and deletes in it what Flink writes there."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from pyarrow.fs import FileInfo, FileSelector, FileSystem, FileType, LocalFileSystem, S3FileSystem

from jishi.files import file_uri
from jishi.lake.catalog import is_in_object_store
from jishi.paths import Paths
from jishi.settings import Settings

_METADATA = "_metadata"  # Flink writes it last: a state with it is complete


class StateSettingWrong(ValueError):
    """The setting of Flink's state cannot be used; the message names it and the fix."""


@dataclass(frozen=True)
class StoredState:
    """A complete checkpoint or savepoint: its folder's URI, and when it was complete (epoch nanoseconds)."""

    uri: str
    made_at_ns: int

    @property
    def name(self) -> str:
        """Its folder's name: ``chk-<n>`` or ``savepoint-<start of the job id>-<random>``."""
        return self.uri.rsplit("/", 1)[1]

    @property
    def run(self) -> str:
        """Name of the folder that it lies in, which of a checkpoint is the job's id."""
        return self.uri.rsplit("/", 2)[1]


@dataclass(frozen=True)
class StateFolder:
    """``uri`` is how Flink knows the folder, ``path`` how ``files`` does; neither ends in a slash."""

    uri: str
    files: FileSystem
    path: str

    @classmethod
    def of(cls, settings: Settings, paths: Paths) -> StateFolder:
        """The folder that the settings name for checkpoints and savepoints. Raises StateSettingWrong."""
        uri = settings.flink_state_folder.rstrip("/")
        parts = urlsplit(uri)
        if not uri:
            return cls.on_disk(paths.flink)
        if parts.scheme != "s3" or not parts.netloc:
            raise StateSettingWrong(
                f"JISHI_FLINK_STATE_FOLDER is {uri!r}; write s3://BUCKET/PATH, or nothing for a folder in var"
            )
        if settings.flink_target == "local":
            raise StateSettingWrong(
                "JISHI_FLINK_STATE_FOLDER is an object store, which a session cluster writes to; set JISHI_FLINK_TARGET=remote"
            )
        if not is_in_object_store(settings):  # after a power cut bronze on a disk may go back behind what the state knows
            raise StateSettingWrong(
                "JISHI_FLINK_STATE_FOLDER is an object store and the lake is not in one; set JISHI_LAKE_WAREHOUSE=s3://BUCKET/PATH"
            )
        given = {
            "access_key": settings.lake_s3_access_key,
            "secret_key": settings.lake_s3_secret_key,
            "endpoint_override": settings.lake_s3_endpoint,
        }
        files = S3FileSystem(region=settings.lake_s3_region, **{key: value for key, value in given.items() if value})
        return cls(uri, files, f"{parts.netloc}{unquote(parts.path)}")

    @classmethod
    def on_disk(cls, folder: Path) -> StateFolder:
        """A folder of this machine, or of a volume that Flink's machines share with it."""
        return cls(file_uri(folder), LocalFileSystem(), str(folder.absolute()))

    def __truediv__(self, name: str) -> StateFolder:
        return StateFolder(f"{self.uri}/{name}", self.files, f"{self.path}/{name}")

    @property
    def name(self) -> str:
        """Its last part."""
        return self.path.rsplit("/", 1)[1]

    def folders(self) -> list[StateFolder]:
        """What lies in it; nothing when it is not there."""
        entries = self.files.get_file_info(FileSelector(self.path, allow_not_found=True))
        return [self / Path(each.path).name for each in entries if each.type == FileType.Directory]

    def state(self) -> StoredState | None:
        """The state that this folder holds, or None while it is not complete."""
        [metadata] = self.files.get_file_info([f"{self.path}/{_METADATA}"])
        return StoredState(self.uri, _made_at(metadata)) if metadata.type == FileType.File else None

    def delete(self) -> None:
        """Delete it with all it holds."""
        self.files.delete_dir(self.path)


def _made_at(metadata: FileInfo) -> int:
    made_at_ns = metadata.mtime_ns
    assert made_at_ns is not None
    return int(made_at_ns)
