"""Archives of plain arrays, written without a time and read without trust.

What a file claims is held against its size before anything is allocated: an archive that unpacks to more than it is, or a
header that announces more numbers than follow, costs no memory.
"""

from __future__ import annotations

import io
import math
import zipfile
from collections.abc import Mapping
from threading import Lock
from typing import Any

import numpy as np

from models.algorithms.recommender import State

KINDS = "biuf"  # numbers: truth values, integers, floats
# numpy parses the header of an array as Python, which CPython 3.11 does not always survive in two threads at once (SystemError,
# github.com/python/cpython/issues/106905).
_PARSING = Lock()
_HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}


class BadArrays(ValueError):
    """Bytes that are no archive of plain arrays, or of others than promised; the message says which and how."""


def pack_arrays(state: State) -> bytes:
    """The arrays as an npz file. Same arrays, same bytes: numpy.savez stamps no time into it."""
    buffer = io.BytesIO()
    arrays: dict[str, Any] = {key: np.ascontiguousarray(state[key]) for key in sorted(state)}
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def most_bytes(shapes: Mapping[str, list[int]]) -> int:
    """Bytes that an archive of such arrays cannot exceed: 8 a number, and 4 KiB an array for its names and header."""
    return sum(8 * math.prod(shape) + 4096 for shape in shapes.values()) + 4096


def unpack_arrays(content: bytes, shapes: Mapping[str, list[int]]) -> State:
    """The arrays of an archive, which must be those of ``shapes``: finite numbers. Raises BadArrays."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            names = {entry.filename.removesuffix(".npy"): entry for entry in archive.infolist()}
            for wrong, word in ((set(shapes) - set(names), "is missing"), (set(names) - set(shapes), "is not in the manifest")):
                if wrong:
                    raise BadArrays(f"the array {min(wrong)} {word}")
            return {key: _array(archive, entry, key, shapes[key]) for key, entry in names.items()}
    except (zipfile.BadZipFile, OSError, EOFError, NotImplementedError) as error:
        raise BadArrays(f"no archive of plain arrays: {error}") from error


def _array(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, key: str, promised: list[int]) -> np.ndarray:
    if entry.compress_type != zipfile.ZIP_STORED or entry.file_size != entry.compress_size:
        raise BadArrays(
            f"{key} is compressed ({entry.compress_size:,} bytes for {entry.file_size:,}); arrays are stored as they are"
        )
    with archive.open(entry) as file:
        try:
            with _PARSING:
                version = np.lib.format.read_magic(file)
                shape, is_fortran, dtype = _HEADERS[version](file)
        except (ValueError, KeyError) as error:
            raise BadArrays(f"no archive of plain arrays: {key}: {error}") from error
        if dtype.kind not in KINDS:
            raise BadArrays(f"no archive of plain arrays: {key} holds {dtype}, not numbers")
        if list(shape) != promised:
            raise BadArrays(f"{key} has shape {list(shape)}, the manifest says {promised}")
        held = entry.file_size - file.tell()
        if math.prod(shape) * dtype.itemsize != held:
            raise BadArrays(f"{key} announces {math.prod(shape) * dtype.itemsize:,} bytes and has {held:,}")
        array = np.frombuffer(bytearray(file.read()), dtype=dtype).reshape(shape, order="F" if is_fortran else "C")
    if dtype.kind == "f" and not np.isfinite(array).all():
        raise BadArrays(f"{key} holds numbers that are not finite")
    return array
