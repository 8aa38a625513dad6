"""A lake that was copied to another folder: every place in its catalog, metadata and manifests that names the old one.

Iceberg writes absolute locations into the catalog, tables' metadata (JSON), the lists of manifests and the manifests (Avro).
Rows stay as they are. A list says how long each of its manifests is, so manifests are written first.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from pyiceberg.avro.file import META_SCHEMA, AvroFile, AvroFileHeader, AvroOutputFile
from pyiceberg.avro.resolver import construct_writer
from pyiceberg.io.pyarrow import PyArrowFileIO
from pyiceberg.schema import Schema
from pyiceberg.typedef import Record
from pyiceberg.types import StructType

from jishi.files import file_uri, write_atomically

# Field ids of Iceberg's specification.
_MANIFEST_PATH, _MANIFEST_LENGTH, _DATA_FILE, _FILE_PATH = 500, 501, 2, 100
_MAGIC = b"Obj\x01"


def move_lake(catalog: Path, warehouse: Path, old: str) -> int:
    """Let the lake in ``warehouse`` name itself instead of ``old``, the URI that it had; returns how many files changed."""
    moved = Moved(old, file_uri(warehouse))
    files = sorted(warehouse.glob("*/*/metadata/*"))
    lists = [file for file in files if file.suffix == ".avro" and file.name.startswith("snap-")]
    manifests = [file for file in files if file.suffix == ".avro" and not file.name.startswith(("snap-", "."))]
    tables = [file for file in files if file.name.endswith(".metadata.json")]
    for file in manifests:
        _rewrite(file, lambda entry, schema: _move_data_file(entry, schema, moved))
    for file in lists:
        _rewrite(file, lambda entry, schema: _move_manifest(entry, schema, moved))
    for file in tables:
        write_atomically(file, json.dumps(moved.in_value(json.loads(file.read_bytes()))))
    for file in (*manifests, *lists, *tables):
        file.with_name(f".{file.name}.crc").unlink(missing_ok=True)  # Hadoop's checksum of what it was
    with closing(sqlite3.connect(catalog)) as connection, connection:
        rows = connection.execute("select rowid, metadata_location, previous_metadata_location from iceberg_tables").fetchall()
        update = "update iceberg_tables set metadata_location = ?, previous_metadata_location = ? where rowid = ?"
        connection.executemany(update, [(*map(moved.in_value, locations), rowid) for rowid, *locations in rows])
    return len(manifests) + len(lists) + len(tables)


class Moved:
    """From an old ``file:`` URI to a new one, in each of the forms in which engines write it."""

    def __init__(self, old: str, new: str) -> None:
        before, after = (uri.removeprefix("file://").rstrip("/") for uri in (old, new))
        self._prefixes = [(form + before, form + after) for form in ("file://", "file:", "")]

    def in_value(self, value: Any) -> Any:
        """The value with all locations in it moved."""
        if isinstance(value, str):
            for old, new in self._prefixes:
                if value == old or value.startswith(old + "/"):
                    return new + value[len(old) :]
            return value
        if isinstance(value, dict):
            return {key: self.in_value(inner) for key, inner in value.items()}
        return [self.in_value(inner) for inner in value] if isinstance(value, list) else value


def _move_data_file(entry: Record, schema: Schema, moved: Moved) -> None:
    """An entry of a manifest: where its data file lies."""
    number = _position(schema, _DATA_FILE)
    struct = schema.fields[number].field_type
    assert isinstance(struct, StructType)
    path = [field.field_id for field in struct.fields].index(_FILE_PATH)
    entry[number][path] = moved.in_value(entry[number][path])


def _move_manifest(entry: Record, schema: Schema, moved: Moved) -> None:
    """An entry of a list: where its manifest lies, and how long that is by now."""
    path = _position(schema, _MANIFEST_PATH)
    entry[path] = moved.in_value(entry[path])
    entry[_position(schema, _MANIFEST_LENGTH)] = Path("/" + entry[path].removeprefix("file:").lstrip("/")).stat().st_size


def _position(schema: Schema, field_id: int) -> int:
    return [field.field_id for field in schema.fields].index(field_id)


class _SameHeader(AvroOutputFile[Record]):
    """Writes entries under the header that the file had, its schema word for word: engines look for their own words in it."""

    def __init__(self, aside: Path, read: AvroFile[Record]) -> None:
        super().__init__(PyArrowFileIO().new_output(str(aside)), read.schema, "unused", metadata=dict(read.header.meta))

    def _write_header(self) -> None:
        construct_writer(META_SCHEMA).write(self.encoder, AvroFileHeader(_MAGIC, self.metadata, self.sync_bytes))


def _rewrite(file: Path, change: Callable[[Record, Schema], None]) -> None:
    """Replace an Avro file by itself with each of its entries changed."""
    with AvroFile[Record](PyArrowFileIO().new_input(str(file))) as read:
        entries = list(read)
    for entry in entries:
        change(entry, read.schema)
    aside = file.with_name(f".{file.name}.moved")
    with _SameHeader(aside, read) as writing:
        if entries:
            writing.write_block(entries)
    os.replace(aside, file)
