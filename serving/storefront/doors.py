"""Which storefronts are open: those of the shops whose track keys the operator names in ``JISHI_STOREFRONT_KEYS``.

A track key stands in a shop's pages for everybody to read, so a page may hold it. A key that is revoked closes the door.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from jishi.senders import sender_of, visitor_address
from jishi.settings import Settings
from jishi.shops import Shop
from serving.keys import ReadKeys
from serving.storefront.token_buckets import TokenBuckets

PER_ADDRESS_S, PER_SHOP_S = 20.0, 100.0  # requests a second that last; five times as many may come at once


@dataclass(frozen=True)
class Storefronts:
    """The open storefronts; ``shoppers`` are the made-up users whom a visitor may be."""

    track_keys: tuple[str, ...]
    shoppers: tuple[str, ...]
    collector: str
    of_address: TokenBuckets = field(default_factory=lambda: TokenBuckets(PER_ADDRESS_S, 5 * PER_ADDRESS_S))
    of_shop: TokenBuckets = field(default_factory=lambda: TokenBuckets(PER_SHOP_S, 5 * PER_SHOP_S))
    proxies: int = 0  # that stand before the storefronts and are believed

    @classmethod
    def of(cls, settings: Settings) -> Storefronts | None:
        """As the settings say; None where no storefront is wanted."""
        keys = _listed(settings.storefront_keys)
        if not keys:
            return None
        shoppers = _listed(settings.storefront_shoppers)
        return cls(keys, shoppers, settings.collector_address, proxies=settings.trusted_proxies)

    def key_of(self, keys: ReadKeys, shop_id: str) -> str | None:
        """The track key of a shop whose storefront is open; None for any other shop."""
        shop = keys.shop(shop_id)
        return None if shop is None else next((key for key in self.track_keys if shop.has_key(key, "track")), None)

    def open_shops(self, keys: ReadKeys) -> list[Shop]:
        """Shops whose storefront is open, by id."""
        shops = (keys.shop(shop_id) for shop_id in keys.shop_ids)
        return [shop for shop in shops if shop is not None and self.key_of(keys, shop.shop_id) is not None]

    def wait_s(self, address: str, shop_id: str) -> float:
        """Seconds that a visitor must wait before the next request; 0 for one that may pass now."""
        return self.of_address.take(sender_of(address)) or self.of_shop.take(shop_id)

    def address_of(self, peer: str, forwarded: str) -> str:
        """The visitor's address, behind proxies too."""
        return visitor_address(peer, forwarded, self.proxies)


def _listed(text: str) -> tuple[str, ...]:
    return tuple(each.strip() for each in text.split(",") if each.strip())
