"""Who may ask: the registry of shops, read again when its file changes, and the decision about one bearer key.

Every answer to a wrong key is the same whether the shop of the path exists or not: a key opens its own shop, and shows nothing
of any other.
"""

from __future__ import annotations

import json
from pathlib import Path

from jishi.shops import RegistryInvalid, Shop, Shops, hash_of_key


class Unauthorised(PermissionError):
    """No key, or no key of any shop with the right to read (401)."""


class ForeignShop(PermissionError):
    """A good key of another shop (403)."""


class ReadKeys:
    """The registry as last read; ``problem`` says why a newer file could not be read, if so."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._seen: tuple[int, int, int] | None = None
        self._shops = Shops()
        self._of_read_key: dict[str, Shop] = {}  # by its hash, so that how long a look takes tells nothing of the key
        self.problem: str | None = None

    @property
    def shop_ids(self) -> list[str]:
        """Registered shops that have not left, sorted."""
        return sorted(shop_id for shop_id, shop in self._shops.shops.items() if shop.state != "left")

    def shop(self, shop_id: str) -> Shop | None:
        """A registered shop that has not left; None for any other id."""
        shop = self._shops.shops.get(shop_id)
        return None if shop is None or shop.state == "left" else shop

    def zone_of(self, shop_id: str) -> str:
        """The time zone of a shop; UTC for one that is not registered."""
        shop = self._shops.shops.get(shop_id)
        return "UTC" if shop is None else shop.time_zone

    def trial_share(self, shop_id: str, common: float) -> float:
        """Share of a shop's answers on which a lower rung is tried; the ``common`` one where the shop has none of its own."""
        shop = self._shops.shops.get(shop_id)
        return common if shop is None or shop.ladder_trials is None else shop.ladder_trials

    @property
    def currencies(self) -> dict[str, str]:
        """The home currency of each registered shop that has not left."""
        return {shop_id: shop.currency for shop_id, shop in self._shops.shops.items() if shop.state != "left"}

    def reload(self) -> bool:
        """Read the registry if its file changed; says whether it did. A file that cannot be read leaves the last good one."""
        try:
            stat = self._file.stat()
        except FileNotFoundError:
            return False
        # A rotated key changes neither the size nor, on a coarse clock, the time; each writing is a new file.
        seen = (stat.st_mtime_ns, stat.st_size, stat.st_ino)
        if seen == self._seen:
            return False
        try:
            shops = Shops.load(self._file)
        except (OSError, json.JSONDecodeError, UnicodeDecodeError, RegistryInvalid) as error:
            self.problem = f"{self._file}: {error}"
            return False
        owned = [(key, shop) for shop in shops.shops.values() for key in shop.keys]
        self._of_read_key = {key.sha256: shop for key, shop in owned if key.right == "read"}
        self._shops, self._seen, self.problem = shops, seen, None
        return True

    def authorise(self, authorization: str | None, shop_id: str) -> Shop:
        """The shop, when the key of the ``Authorization`` header may read it. Raises Unauthorised or ForeignShop."""
        scheme, _, text = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not text.strip():
            raise Unauthorised("send the shop's read key: Authorization: Bearer <key>")
        digest = hash_of_key(text.strip())
        owner = self._of_read_key.get(digest)
        if owner is None:
            # The key may be a second old.
            owner = self._of_read_key.get(digest) if self.reload() else None
        if owner is None:
            raise Unauthorised("this is not the read key of a shop")
        if owner.shop_id != shop_id:
            raise ForeignShop("this key opens another shop than the one in the path")
        return owner
