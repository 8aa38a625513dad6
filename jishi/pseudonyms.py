"""Pseudonyms of persons: the same id has the same pseudonym everywhere in a shop, and nobody can tell it without the secret.

A pseudonym is a keyed hash (HMAC-SHA-256, its first 64 bits) of shop and id. The secret is one of this installation, so that
frames of two installations, and of two shops, cannot be joined by persons. Whoever deletes the secret cuts every older
pseudonym off from its person.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable

from jishi.identity import DEVICE, USER, device_person, user_person
from jishi.paths import Paths
from jishi.secret_files import secret_of

_PERSON = re.compile(rf"({USER}|{DEVICE})p[0-9a-f]{{16}}")


class Pseudonyms:
    """The pseudonyms of one shop. A user's and a device's are those of their person without the prefix."""

    def __init__(self, secret: bytes, shop_id: str) -> None:
        self._hash = hmac.new(secret, shop_id.encode() + b"\0", hashlib.sha256)

    @classmethod
    def of(cls, paths: Paths, shop_id: str) -> Pseudonyms:
        """Those of this installation; its secret is made when it is first needed."""
        return cls(secret_of(paths.pseudonym_secret), shop_id)

    def of_column(self, column: str) -> Callable[[str], str] | None:
        """How the ids of a column are replaced; None for a column that names no person.

        >>> Pseudonyms(b"secret", "s").of_column("item_id")
        """
        persons = dict.fromkeys(("person_id", "sharer_id"), self.person)
        for name, replace in {**persons, "user_id": self._user, "anonymous_id": self._device}.items():
            if column == name or column.endswith(f"_{name}"):
                return replace
        # Keys of visits and journeys hold their person's ids, and a storefront's session is in its own logs.
        return self._digest if column in ("session_key", "session_id", "journey_key") else None

    def person(self, person_id: str) -> str:
        """The pseudonym of a person; it still says whether that is a user or a device."""
        kind = next((prefix for prefix in (USER, DEVICE) if person_id.startswith(prefix)), "")
        return kind + self._digest(person_id)

    def _user(self, user_id: str) -> str:
        return self._digest(user_person(user_id))

    def _device(self, anonymous_id: str) -> str:
        return self._digest(device_person(anonymous_id))

    def _digest(self, text: str) -> str:
        keyed = self._hash.copy()
        keyed.update(text.encode())
        return f"p{keyed.hexdigest()[:16]}"


def is_person_pseudonym(text: str) -> bool:
    """Whether a text has the form of a person's pseudonym."""
    return _PERSON.fullmatch(text) is not None
