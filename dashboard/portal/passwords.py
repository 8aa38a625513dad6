"""Passwords: argon2id with the parameters of RFC 9106 (second choice, 64 MiB), and what a password must be."""

from __future__ import annotations

import threading
import unicodedata

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

SHORTEST = 12
LONGEST = 200


class WeakPassword(ValueError):
    """Too short, too long, or too plain."""


class Passwords:
    """Hashes and checks; at most two at once, because each takes the hasher's memory."""

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        self._hasher = hasher or PasswordHasher()
        self._places = threading.BoundedSemaphore(2)
        self._nobodys = self._hasher.hash("nobody has this password")

    def hash(self, password: str) -> str:
        """The hash with its salt and parameters. Raises WeakPassword."""
        text = _normal(password)
        if not SHORTEST <= len(text) <= LONGEST or len(set(text)) < 5:
            raise WeakPassword(f"a password has {SHORTEST} to {LONGEST} characters, at least five of them different")
        with self._places:
            return self._hasher.hash(text)

    def matches(self, password: str, kept: str | None) -> bool:
        """Whether it is the password of the hash; without a hash it takes as long, and is not."""
        if len(password) > LONGEST:
            return False
        with self._places:
            try:
                return self._hasher.verify(kept or self._nobodys, _normal(password)) and kept is not None
            except (VerificationError, InvalidHashError):
                return False


def _normal(password: str) -> str:
    """One form of the same characters, whatever keyboard wrote them (RFC 8265)."""
    return unicodedata.normalize("NFC", password)
