"""Who a bearer key belongs to: the registry's hashes in memory, read again when the registry file changes."""

from __future__ import annotations

import hashlib
import json
import logging
from pathlib import Path

from pydantic import ValidationError

from collector.refusals import Refused
from jishi.shops import Right, Shops

log = logging.getLogger(__name__)

_SCHEME = "bearer "


class RegistryUnreadable(RuntimeError):
    """The registry of shops is damaged; the message names the file."""


class KeyRing:
    """Hashes of all keys. A look-up compares SHA-256 sums of 256 random bits, so its timing tells nothing about a key."""

    def __init__(self, registry: Path) -> None:
        """Read the registry; an absent one means no shop yet. Raises RegistryUnreadable."""
        self._registry = registry
        self._stamp = self._stat()
        try:
            self._owners = _load(registry)
        except (OSError, json.JSONDecodeError, UnicodeDecodeError, ValidationError) as error:
            raise RegistryUnreadable(
                f"{registry} is not a registry of shops: {type(error).__name__}; repair the file"
            ) from None

    def shop_that_may_write(self, authorization: str | None) -> str:
        """The shop of a request's ``Authorization`` header. Raises Refused: 401 for no or a wrong key, 403 for a read key."""
        if authorization is None:
            raise Refused(401, "missing_key", "Authorization", "send the shop's write key: Authorization: Bearer jk_write_…")
        if authorization[: len(_SCHEME)].lower() != _SCHEME:
            raise Refused(401, "missing_key", "Authorization", "use the scheme Bearer: Authorization: Bearer jk_write_…")
        self._reload_when_changed()
        key = authorization[len(_SCHEME) :].strip()
        owner = self._owners.get(hashlib.sha256(key.encode()).hexdigest())
        if owner is None:
            raise Refused(401, "unknown_key", "Authorization", "this key is not known; issue a new write key for the shop")
        shop_id, right = owner
        if right != "write":
            raise Refused(403, "no_write_right", "Authorization", f"this key may only {right}; send events with the write key")
        return shop_id

    def _reload_when_changed(self) -> None:
        stamp = self._stat()
        if stamp == self._stamp:
            return
        self._stamp = stamp
        try:
            self._owners = _load(self._registry)
        except (OSError, json.JSONDecodeError, UnicodeDecodeError, ValidationError) as error:
            # Shops that were known keep sending: a damaged registry is the operator's trouble, not theirs.
            log.error("%s cannot be read (%s): the keys known before stay valid", self._registry, type(error).__name__)

    def _stat(self) -> tuple[int, int, int] | None:
        try:
            found = self._registry.stat()
        except FileNotFoundError:
            return None
        return found.st_mtime_ns, found.st_size, found.st_ino


def _load(registry: Path) -> dict[str, tuple[str, Right]]:
    shops = Shops.load(registry).shops.values()
    return {key.sha256: (shop.shop_id, key.right) for shop in shops for key in shop.keys}
