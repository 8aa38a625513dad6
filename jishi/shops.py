"""The registry of shops: who they are, their time zone and currency, and the hashes of their keys (never the keys)."""

from __future__ import annotations

import fcntl
import hashlib
import hmac
import json
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo

from pydantic import BaseModel, Field, field_validator

from jishi.contract.fields import Currency, ShopId
from jishi.contract.sender import OrderSource
from jishi.files import write_json

Right = Literal["write", "read", "track"]
ModelsFrom = Literal["memory", "tables"]


class UnknownShop(LookupError):
    """No shop of that id is registered."""


class UnknownKey(LookupError):
    """No key of that id is registered."""


class Key(BaseModel):
    """A key of a shop: ``write`` sends events, ``read`` fetches recommendations, ``track`` sends what a browser may say.

    Only its SHA-256 is kept; a key is 256 random bits, so that a plain hash is enough: there is nothing to guess. A ``track``
    key stands in the shop's pages for everybody to read; ``origins`` are the sites that may use it (all when empty).
    """

    key_id: str
    right: Right
    sha256: str
    created_at: datetime | None = None
    origins: list[str] = Field(default_factory=list)


class Shop(BaseModel):
    """A tenant. ``time_zone`` decides its days; ``currency`` is ISO 4217; ``events_per_s`` is its own limit at the collector,
    in the place of ``JISHI_COLLECTOR_EVENTS_PER_S``; ``models_from`` says where its models come from: trained in memory, or
    from tables that Spark computes, for a shop whose acts do not fit one machine's memory; ``orders_from`` whose orders count:
    those of its server, or those of its pages, whose key everybody can read.
    """

    shop_id: ShopId
    name: str
    time_zone: str = "UTC"
    currency: Currency = "CNY"
    events_per_s: int | None = Field(None, ge=1)
    models_from: ModelsFrom = "memory"
    orders_from: OrderSource = "server"
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
        """Register a shop, or update name, zone and currency of a known one; what else is set for it stays."""
        known = self.shops.get(shop.shop_id)
        kept = known.model_dump(include={"events_per_s", "models_from", "orders_from"}) | {"keys": known.keys} if known else {}
        self.shops[shop.shop_id] = shop.model_copy(update=kept)
        return self.shops[shop.shop_id]

    @classmethod
    @contextmanager
    def edit(cls, path: Path) -> Iterator[Shops]:
        """The registry to change, saved when the block ends without error; a second editor waits, so no change is lost."""
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.with_name(f".{path.name}.lock").open("ab") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            shops = cls.load(path)
            yield shops
            shops.save(path)

    def limit(self, shop_id: str, events_per_s: int | None) -> None:
        """Give a shop its own limit, or with None the common one again. Raises UnknownShop."""
        self.shops[shop_id] = self.get(shop_id).model_copy(update={"events_per_s": events_per_s})

    def choose_models(self, shop_id: str, models_from: ModelsFrom) -> None:
        """Say where a shop's models come from. Raises UnknownShop."""
        self.shops[shop_id] = self.get(shop_id).model_copy(update={"models_from": models_from})

    def choose_order_source(self, shop_id: str, orders_from: OrderSource) -> None:
        """Say whose orders count, from now on. Raises UnknownShop."""
        self.shops[shop_id] = self.get(shop_id).model_copy(update={"orders_from": orders_from})

    def groups(self, size: int, *, models_from: ModelsFrom | None = None) -> list[list[str]]:
        """Ids of all shops (or of those with such models), sorted and cut into groups of at most ``size``."""
        ids = sorted(key for key, shop in self.shops.items() if models_from in (None, shop.models_from))
        return in_groups(ids, size)

    def issue_key(self, shop_id: str, right: Right, *, now: datetime | None = None, origins: Sequence[str] = ()) -> str:
        """A new key of the shop. The text is returned once and kept nowhere; ``now`` is noted as the time of its making."""
        text = f"jk_{right}_{secrets.token_urlsafe(32)}"
        key = Key(key_id=secrets.token_hex(4), right=right, sha256=_sha256(text), created_at=now, origins=list(origins))
        shop = self.get(shop_id)
        self.shops[shop_id] = shop.model_copy(update={"keys": [*shop.keys, key]})
        return text

    def rotate_keys(self, shop_id: str, right: Right, *, now: datetime | None = None, keep_old: bool = False) -> str:
        """A new key in the place of all of the shop's keys with this right, which end at once unless they are kept."""
        old = [key for key in self.get(shop_id).keys if key.right == right]
        text = self.issue_key(shop_id, right, now=now, origins=sorted({origin for key in old for origin in key.origins}))
        if not keep_old:
            for key in old:
                self.revoke_key(key.key_id)
        return text

    def revoke_key(self, key_id: str) -> tuple[str, Key]:
        """Take a key back; returns its shop and the key. Raises UnknownKey."""
        for shop_id, shop in self.shops.items():
            for key in shop.keys:
                if key.key_id == key_id:
                    kept = [other for other in shop.keys if other is not key]
                    self.shops[shop_id] = shop.model_copy(update={"keys": kept})
                    return shop_id, key
        raise UnknownKey(f"no key has the id {key_id!r}; jishi keys list shows the ids")

    def shop_of_key(self, text: str, right: Right) -> Shop | None:
        """The shop that a key with this right belongs to, or None. Compares in constant time."""
        digest = _sha256(text)
        match = None
        for shop in self.shops.values():
            for key in shop.keys:
                if hmac.compare_digest(key.sha256, digest) and key.right == right:
                    match = shop
        return match


def in_groups(shop_ids: Sequence[str], size: int) -> list[list[str]]:
    """The ids in as few groups of at most ``size`` as there can be, all nearly as large as each other.

    >>> in_groups(["a", "b", "c", "d"], 3)
    [['a', 'b'], ['c', 'd']]
    """
    count = -(-len(shop_ids) // size)
    return [list(shop_ids[number * len(shop_ids) // count : (number + 1) * len(shop_ids) // count]) for number in range(count)]


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
