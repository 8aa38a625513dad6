"""The registry of shops: who they are, their time zone and currency, and the hashes of their keys (never the keys)."""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo

from pydantic import BaseModel, Field, field_validator

from jishi.contract.fields import Currency, ShopId
from jishi.lake import write_json

Right = Literal["write", "read"]


class UnknownShop(LookupError):
    """No shop of that id is registered."""


class Key(BaseModel):
    """A bearer key of a shop: ``write`` sends events, ``read`` fetches recommendations. Only its SHA-256 is kept.

    A key is 256 random bits, so that a plain hash is enough: there is nothing to guess.
    """

    key_id: str
    right: Right
    sha256: str


class Shop(BaseModel):
    """A tenant. ``time_zone`` decides its days; ``currency`` is ISO 4217."""

    shop_id: ShopId
    name: str
    time_zone: str = "UTC"
    currency: Currency = "CNY"
    keys: list[Key] = Field(default_factory=list)

    @field_validator("time_zone")
    @classmethod
    def _is_known_zone(cls, value: str) -> str:
        ZoneInfo(value)
        return value


class Shops(BaseModel):
    """All shops of one platform."""

    shops: dict[str, Shop] = Field(default_factory=dict)

    @classmethod
    def load(cls, path: Path) -> Shops:
        """Read the registry; an absent file means no shop."""
        return cls.model_validate(json.loads(path.read_text())) if path.exists() else cls()

    def save(self, path: Path) -> None:
        """Write the registry in one step."""
        write_json(path, self.model_dump(mode="json"))

    def get(self, shop_id: str) -> Shop:
        """The shop, or UnknownShop with the shops that there are."""
        if shop_id not in self.shops:
            raise UnknownShop(f"unknown shop {shop_id!r}; known: {', '.join(sorted(self.shops)) or 'none'}")
        return self.shops[shop_id]

    def add(self, shop: Shop) -> Shop:
        """Register a shop, or update name, zone and currency of a known one; its keys stay."""
        known = self.shops.get(shop.shop_id)
        self.shops[shop.shop_id] = shop.model_copy(update={"keys": known.keys}) if known else shop
        return self.shops[shop.shop_id]

    def issue_key(self, shop_id: str, right: Right) -> str:
        """A new key of the shop. The text is returned once and kept nowhere."""
        text = f"jk_{right}_{secrets.token_urlsafe(32)}"
        key = Key(key_id=secrets.token_hex(4), right=right, sha256=_sha256(text))
        shop = self.get(shop_id)
        self.shops[shop_id] = shop.model_copy(update={"keys": [*shop.keys, key]})
        return text

    def shop_of_key(self, text: str, right: Right) -> Shop | None:
        """The shop that a key with this right belongs to, or None. Compares in constant time."""
        digest = _sha256(text)
        found = None
        for shop in self.shops.values():
            for key in shop.keys:
                if hmac.compare_digest(key.sha256, digest) and key.right == right:
                    found = shop
        return found


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
