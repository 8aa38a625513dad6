"""What made a candidate beside its data: the code of ``models/`` and ``jishi/`` and the libraries that it computes with."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.metadata import version
from pathlib import Path

_LIBRARIES = ("catboost", "duckdb", "implicit", "numba", "numpy", "scikit-learn", "scipy", "usearch")
_FOLDERS = ("models", "jishi")  # what is learnt from is declared in the second: features, weights of acts


@cache
def code_digest() -> str:
    """SHA-256, 64 hex digits, over every source file of both folders and the versions of the libraries."""
    digest = hashlib.sha256()
    folder = Path(__file__).parents[2]
    for file in sorted(file for name in _FOLDERS for file in (folder / name).rglob("*.py")):
        digest.update(f"{file.relative_to(folder).as_posix()}\n".encode())
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    for library in _LIBRARIES:
        digest.update(f"{library} {version(library)}\n".encode())
    return digest.hexdigest()
