"""Persons in the order of a hash of their ids: the first of it are a sample that stays the same from day to day, and of which a
smaller one is part.
"""

from __future__ import annotations

from zlib import crc32

import numpy as np
import numpy.typing as npt

from models.data.sequences import Numbers


def in_hash_order(person_ids: npt.NDArray[np.str_]) -> Numbers:
    """Numbers of all persons, by their hash and then by number."""
    hashes = np.array([crc32(person_id.encode()) for person_id in person_ids.tolist()], dtype=np.int64)
    return np.argsort(hashes, kind="stable")
