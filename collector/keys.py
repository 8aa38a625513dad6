"""Who a key belongs to and how fast its shop may send: the registry in memory, read again when its file changes."""

from __future__ import annotations

import hashlib
import json
import logging
from dataclasses import dataclass
from pathlib import Path

from collector.refusals import RequestRefused
from jishi.contract.sender import OrderSource
from jishi.shops import RegistryInvalid, Right, Shop, Shops

log = logging.getLogger(__name__)

_SCHEME = "bearer "


class RegistryUnreadable(RuntimeError):
    """The registry of shops is damaged; the message names the file."""


@dataclass(frozen=True)
class Owner:
    """Whose key it is, what it may do, and the sites that may use it (all when there are none).

    What comes with a test key is checked and shown, and never written.
    """

    shop_id: str
    right: Right
    origins: frozenset[str]
    is_test: bool = False


class KeyRing:
    """Hashes of all keys. A look-up compares SHA-256 sums of 256 random bits, so its timing reveals nothing about a key."""

    def __init__(self, registry: Path) -> None:
        """Read the registry; an absent one means no shop yet. Raises RegistryUnreadable."""
        self._registry = registry
        self._stamp = self._stat()
        try:
            self._owners, self._shops = _load(registry)
        except (OSError, json.JSONDecodeError, UnicodeDecodeError, RegistryInvalid) as error:
            reason = str(error) if isinstance(error, RegistryInvalid) else f"{type(error).__name__}; repair the file"
            raise RegistryUnreadable(f"{registry} is not a registry of shops: {reason}") from None

    def writer(self, authorization: str | None) -> Owner:
        """Whose write key a request's ``Authorization`` header holds.

        Raises RequestRefused: 401 without a known key, 403 for another right.
        """
        if authorization is None:
            raise RequestRefused(
                401, "missing_key", "Authorization", "send the shop's write key: Authorization: Bearer jk_write_…"
            )
        if authorization[: len(_SCHEME)].lower() != _SCHEME:
            raise RequestRefused(401, "missing_key", "Authorization", "use the scheme Bearer: Authorization: Bearer jk_write_…")
        owner = self._owner(authorization[len(_SCHEME) :].strip(), "Authorization")
        if owner.right != "write":
            message = f"this key may only {owner.right}; use the shop's write key"
            raise RequestRefused(403, "no_write_right", "Authorization", message)
        return owner

    def tracker(self, key: str | None, origin: str | None) -> Owner:
        """Whose key a page has; ``origin`` is the site of the page.

        Raises RequestRefused: 401, or 403 for a right or site.
        """
        if not key:
            raise RequestRefused(401, "missing_key", "key", "add the shop's track key: /v1/track?key=jk_track_…")
        owner = self._owner(key, "key")
        if owner.right != "track":
            # A secret key in a page is a leak; it must not work, or nobody would notice.
            message = f"this key may {owner.right} and is secret; a page uses a track key (jishi keys create --right track)"
            raise RequestRefused(403, "no_track_right", "key", message)
        if owner.origins and (origin or "").lower() not in owner.origins:
            raise RequestRefused(
                403, "foreign_origin", "Origin", "this key is not for pages of this site; add the site to the key"
            )
        return owner

    def events_per_s(self, shop_id: str) -> int | None:
        """The shop's own limit; None when it has none."""
        shop = self._shops.get(shop_id)
        return shop.events_per_s if shop else None

    def orders_from(self, shop_id: str) -> OrderSource:
        """Whose orders of the shop count."""
        shop = self._shops.get(shop_id)
        return shop.orders_from if shop else "server"

    def home_currency(self, shop_id: str) -> tuple[str, str]:
        """Home currency and time zone of a shop that has a key."""
        shop = self._shops[shop_id]
        return shop.currency, shop.time_zone

    def _owner(self, key: str, field: str) -> Owner:
        self._reload_when_changed()
        owner = self._owners.get(hashlib.sha256(key.encode()).hexdigest())
        if owner is None:
            raise RequestRefused(
                401, "unknown_key", field, "this key is not known; issue a new one for the shop: jishi keys create"
            )
        return owner

    def _reload_when_changed(self) -> None:
        stamp = self._stat()
        if stamp == self._stamp:
            return
        self._stamp = stamp
        try:
            self._owners, self._shops = _load(self._registry)
        except (OSError, json.JSONDecodeError, UnicodeDecodeError, RegistryInvalid) as error:
            # Shops that were known keep sending: a damaged registry is the operator's trouble, not theirs.
            log.error("%s cannot be read (%s): the keys known before stay valid", self._registry, type(error).__name__)

    def _stat(self) -> tuple[int, int, int] | None:
        try:
            stat = self._registry.stat()
        except FileNotFoundError:
            return None
        return stat.st_mtime_ns, stat.st_size, stat.st_ino


def _load(registry: Path) -> tuple[dict[str, Owner], dict[str, Shop]]:
    """Owners by the hash of their key, and the shops."""
    shops = Shops.load(registry).shops
    owners = {
        key.sha256: Owner(shop.shop_id, key.right, frozenset(key.origins), key.is_test)
        for shop in shops.values()
        for key in shop.keys
    }
    return owners, shops
