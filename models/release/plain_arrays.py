"""Archives of plain arrays, written without a time, read without trust, and large arrays without a copy of their own.

Arrays are stored as they are, at multiples of 64 bytes, so that one of ``MAPPED`` bytes or more is a view of the mapped file:
all processes that read a release share its pages. Nobody may write into a file that is in use.

What a file claims is held against its size before anything is allocated: an archive that unpacks to more than it is, or a
header that announces more numbers than follow, costs no memory.
"""

from __future__ import annotations

import math
import mmap
import struct
import zipfile
from collections.abc import Mapping
from threading import Lock
from typing import BinaryIO, Literal

import numpy as np

from models.algorithms.recommender import State

MAPPED = 2**20  # bytes of an array from which on it is not copied
ALIGNED = 64
KINDS = "biuf"  # numbers: truth values, integers, floats
# numpy parses the header of an array as Python, which CPython 3.11 does not always survive in two threads at once (SystemError,
# github.com/python/cpython/issues/106905).
_PARSING = Lock()
_HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}


_LOCAL_HEADER, _LENGTHS = 30, struct.Struct("<HH")  # of a zip entry: its size, and at 26 the lengths of name and extra field
_EXTRA, _PADDING, _ZIP64_EXTRA = struct.Struct("<HH"), 0xD935, 20  # 0xD935: padding, as Android's zipalign writes it


class BadArrays(ValueError):
    """Bytes that are no archive of plain arrays, or of others than promised; the message says which and how."""


def write_arrays(state: State, target: BinaryIO) -> None:
    """Write the arrays as an npz file. Same arrays, same bytes: no time is stamped into it."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for key in sorted(state):
            array = np.ascontiguousarray(state[key])
            entry, is_large = zipfile.ZipInfo(f"{key}.npy"), array.nbytes >= zipfile.ZIP64_LIMIT
            before = target.tell() + _LOCAL_HEADER + len(entry.filename.encode()) + _ZIP64_EXTRA * is_large + _EXTRA.size
            entry.extra = _EXTRA.pack(_PADDING, padding := -before % ALIGNED) + bytes(padding)
            with archive.open(entry, "w", force_zip64=is_large) as file:
                np.lib.format.write_array(file, array, version=(1, 0), allow_pickle=False)


def most_bytes(shapes: Mapping[str, list[int]]) -> int:
    """Bytes that an archive of such arrays cannot exceed: 8 a number, and 4 KiB an array for its names and header."""
    return sum(8 * math.prod(shape) + 4096 for shape in shapes.values()) + 4096


def unpack_arrays(file: BinaryIO, content: mmap.mmap, shapes: Mapping[str, list[int]]) -> State:
    """The arrays of an archive and its mapped ``content``: those of ``shapes``, finite numbers. Raises BadArrays."""
    try:
        with zipfile.ZipFile(file) as archive:
            names = {entry.filename.removesuffix(".npy"): entry for entry in archive.infolist()}
            for wrong, word in ((set(shapes) - set(names), "is missing"), (set(names) - set(shapes), "is not in the manifest")):
                if wrong:
                    raise BadArrays(f"the array {min(wrong)} {word}")
            return {key: _array(archive, content, entry, key, shapes[key]) for key, entry in names.items()}
    except (zipfile.BadZipFile, OSError, EOFError, NotImplementedError, struct.error) as error:
        raise BadArrays(f"no archive of plain arrays: {error}") from error


def _array(archive: zipfile.ZipFile, content: mmap.mmap, entry: zipfile.ZipInfo, key: str, promised: list[int]) -> np.ndarray:
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
        order: Literal["F", "C"] = "F" if is_fortran else "C"
        if held < MAPPED:
            array = np.frombuffer(bytearray(file.read()), dtype=dtype).reshape(shape, order=order)
        else:
            begin = _data_begin(content, entry) + entry.file_size - held
            array = np.frombuffer(content, dtype, math.prod(shape), begin).reshape(shape, order=order)
    if dtype.kind == "f" and not np.isfinite(array).all():
        raise BadArrays(f"{key} holds numbers that are not finite")
    return array


def _data_begin(content: mmap.mmap, entry: zipfile.ZipInfo) -> int:
    """Where the bytes of a stored entry begin."""
    name, extra = _LENGTHS.unpack_from(content, entry.header_offset + 26)
    return entry.header_offset + _LOCAL_HEADER + int(name) + int(extra)
