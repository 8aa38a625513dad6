"""The registry of shops: who they are, their time zone and currency, and the hashes of their keys (never the keys)."""

from __future__ import annotations

import fcntl
import hashlib
import hmac
import json
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal, get_args
from zoneinfo import ZoneInfo, available_timezones

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    ValidationError,
    field_validator,
    model_serializer,
    model_validator,
)

from jishi.contract.fields import Currency, ShopId
from jishi.contract.sender import OrderSource
from jishi.customer_rules import CustomerRules
from jishi.files import write_json
from jishi.funnel_rules import FunnelRules
from jishi.item_thresholds import ItemThresholds
from jishi.quiet_hours import QuietHours

Right = Literal["write", "read", "track"]
ModelsFrom = Literal["memory", "tables"]
State = Literal["active", "paused", "left"]
MOST_TRIALS = 0.2  # of the answers of a shop


class UnknownShop(LookupError):
    """No shop of that id is registered."""


class ShopExists(ValueError):
    """A shop of that id is registered already."""


class UnknownKey(LookupError):
    """No key of that id is registered."""


class WrongState(ValueError):
    """A shop is not in a state in which this can be done; the message says which it is in and what to do."""


class BadKey(ValueError):
    """What no key can be; ``field`` (right, origin, test) says which of its properties is wrong, the message what to do."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


class RegistryInvalid(ValueError):
    """The registry holds what this code cannot read; the message names file and place, and what to do."""


class Key(BaseModel):
    """A key of a shop: ``write`` sends events, ``read`` fetches recommendations, ``track`` sends what a browser may say.

    Only its SHA-256 is kept; a key is 256 random bits, so that a plain hash is enough: there is nothing to guess. A ``track``
    key stands in the shop's pages for everybody to read; ``origins`` are the sites that may use it (all when empty). What a
    test key sends is checked and shown on the live page, and never reaches the log.
    """

    model_config = ConfigDict(extra="allow")  # what newer code wrote stays in the file

    key_id: str
    right: Right
    is_test: bool = False
    sha256: str
    created_at: datetime | None = None
    origins: list[str] = Field(default_factory=list)


# Fields of a shop that are settings of their own, which take no unknown field from a person.
_BLOCKS: dict[str, type[BaseModel]] = {
    "funnel": FunnelRules,
    "customers": CustomerRules,
    "items": ItemThresholds,
    "quiet_hours": QuietHours,
}


class Shop(BaseModel):
    """A tenant. ``time_zone`` decides its days; ``currency`` is ISO 4217; ``events_per_s`` is its own limit at the collector,
    in the place of ``JISHI_COLLECTOR_EVENTS_PER_S``; ``models_from`` says where its models come from: trained in memory, or
    from tables that Spark computes, for a shop whose acts do not fit one machine's memory; ``orders_from`` whose orders count:
    those of its server, or those of its pages, whose key everybody can read; ``visits_end_at_midnight`` whether a visit that
    goes on past midnight is two; ``funnel`` which acts of a visit are steps of it; ``customers`` who is none, and their
    thresholds; ``items`` when they sell well, lie too long, and the bounds of price bands; ``quiet_hours`` when none of its
    alerts is sent; ``ladder_trials`` on which share of its answers a lower rung of the ladder is tried, in the place of
    ``JISHI_LADDER_TRIALS``; ``state``, since ``state_since``, whether pipelines work on it: a ``paused`` shop goes on sending
    and is answered, of one that ``left`` nothing is taken. ``unknown`` are fields of its settings that newer code wrote; like
    other fields that this code does not know they stay as they are.
    """

    model_config = ConfigDict(extra="allow")

    shop_id: ShopId
    name: str
    time_zone: str = "UTC"
    currency: Currency = "CNY"
    events_per_s: int | None = Field(None, ge=1)
    models_from: ModelsFrom = "memory"
    orders_from: OrderSource = "server"
    visits_end_at_midnight: bool = False
    funnel: FunnelRules = Field(default_factory=FunnelRules)
    customers: CustomerRules = Field(default_factory=CustomerRules)
    items: ItemThresholds = Field(default_factory=ItemThresholds)
    quiet_hours: QuietHours | None = None
    ladder_trials: float | None = Field(None, ge=0, le=MOST_TRIALS)
    state: State = "active"
    state_since: datetime | None = None
    keys: list[Key] = Field(default_factory=list)
    unknown: dict[str, dict[str, Any]] = Field(default_factory=dict, exclude=True, repr=False)

    @model_validator(mode="before")
    @classmethod
    def _set_unknown_aside(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        blocks = {name: given[name] for name in _BLOCKS if isinstance(given.get(name), dict)}
        known = {name: {k: v for k, v in block.items() if k in _BLOCKS[name].model_fields} for name, block in blocks.items()}
        unknown = {name: {k: v for k, v in block.items() if k not in known[name]} for name, block in blocks.items()}
        return given | known | {"unknown": {name: fields for name, fields in unknown.items() if fields}}

    @model_serializer(mode="wrap")
    def _with_unknown(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        written: dict[str, Any] = serialize(self)
        kept = {name: fields | written[name] for name, fields in self.unknown.items() if written.get(name)}
        return written | kept

    def has_key(self, text: str, right: Right) -> bool:
        """Whether the text is one of the shop's keys with this right. Compares in constant time."""
        digest = hash_of_key(text)
        return any(hmac.compare_digest(key.sha256, digest) and key.right == right for key in self.keys)

    @field_validator("time_zone")
    @classmethod
    def _is_known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (LookupError, OSError, ValueError):
            raise ValueError(f"{value!r} is no IANA time zone; {_zones_like(value)}") from None
        return value


class Shops(BaseModel):
    """All shops of one platform."""

    model_config = ConfigDict(extra="allow")

    shops: dict[str, Shop] = Field(default_factory=dict)

    @classmethod
    def load(cls, path: Path) -> Shops:
        """Read the registry; an absent file means no shop. Raises RegistryInvalid."""
        if not path.exists():
            return cls()
        try:
            return cls.model_validate(json.loads(path.read_text(encoding="utf-8")))
        except ValidationError as error:
            raise RegistryInvalid(f"{path}: {_first_of(error)}; mend it, or use the code that wrote it") from error

    def save(self, path: Path) -> None:
        """Write the registry in one step."""
        write_json(path, self.model_dump(mode="json"))

    def get(self, shop_id: str) -> Shop:
        """The shop, or UnknownShop with the shops that there are, a near one first."""
        if shop_id not in self.shops:
            near = "".join(f", perhaps {each!r}" for each in get_close_matches(shop_id, self.shops, 1))
            raise UnknownShop(f"unknown shop {shop_id!r}{near}; known: {', '.join(sorted(self.shops)) or 'none'}")
        return self.shops[shop_id]

    def create(self, shop: Shop) -> Shop:
        """Register a new shop. Raises ShopExists with what is registered under its id."""
        known = self.shops.get(shop.shop_id)
        if known is not None:
            facts = f"{known.name}, {known.currency}, {known.time_zone}, {len(known.keys)} keys"
            raise ShopExists(f"shop {known.shop_id!r} exists already ({facts}) and stays as it is; choose another id")
        self.shops[shop.shop_id] = shop
        return shop

    def add(self, shop: Shop) -> Shop:
        """Register a shop, or update name, zone and currency of a known one; what else is set for it stays."""
        known = self.shops.get(shop.shop_id)
        given = {name: getattr(shop, name) for name in ("name", "time_zone", "currency")}
        self.shops[shop.shop_id] = known.model_copy(update=given) if known else shop
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

    @property
    def zones(self) -> dict[str, str]:
        """The time zone of each shop."""
        return {shop_id: shop.time_zone for shop_id, shop in self.shops.items()}

    def limit(self, shop_id: str, events_per_s: int | None) -> None:
        """Give a shop its own limit, or with None the common one again. Raises UnknownShop."""
        self.shops[shop_id] = self.get(shop_id).model_copy(update={"events_per_s": events_per_s})

    def choose_models(self, shop_id: str, models_from: ModelsFrom) -> None:
        """Say where a shop's models come from. Raises UnknownShop."""
        self.shops[shop_id] = self.get(shop_id).model_copy(update={"models_from": models_from})

    def choose_order_source(self, shop_id: str, orders_from: OrderSource) -> None:
        """Say whose orders count, from now on. Raises UnknownShop."""
        self.shops[shop_id] = self.get(shop_id).model_copy(update={"orders_from": orders_from})

    def end_visits_at_midnight(self, shop_id: str, ends: bool) -> None:
        """Say whether visits end at the shop's midnight, as silver is built from now on. Raises UnknownShop."""
        self.shops[shop_id] = self.get(shop_id).model_copy(update={"visits_end_at_midnight": ends})

    def set_funnel_rules(self, shop_id: str, rules: FunnelRules) -> None:
        """Say which acts of a visit are steps of its funnel, from the next marts on, for all visits. Raises UnknownShop."""
        self.shops[shop_id] = self.get(shop_id).model_copy(update={"funnel": rules})

    def set_customer_rules(self, shop_id: str, rules: CustomerRules) -> None:
        """Say who counts as no customer and what thresholds hold, from the next marts on. Raises UnknownShop."""
        self.shops[shop_id] = self.get(shop_id).model_copy(update={"customers": rules})

    def set_item_rules(self, shop_id: str, rules: ItemThresholds) -> None:
        """Say what the marts of items go by, from the next ones on. Raises UnknownShop."""
        self.shops[shop_id] = self.get(shop_id).model_copy(update={"items": rules})

    def set_quiet_hours(self, shop_id: str, hours: QuietHours | None) -> None:
        """Say when alerts wait, or with None that they never do. Raises UnknownShop."""
        self.shops[shop_id] = self.get(shop_id).model_copy(update={"quiet_hours": hours})

    def set_ladder_trials(self, shop_id: str, share: float | None) -> None:
        """Say on which share of a shop's answers a lower rung is tried, or with None the common one. Raises UnknownShop."""
        self.shops[shop_id] = self.get(shop_id).model_copy(update={"ladder_trials": share})

    @property
    def active(self) -> list[str]:
        """Ids of the shops that pipelines work on, sorted."""
        return sorted(shop_id for shop_id, shop in self.shops.items() if shop.state == "active")

    @property
    def idle(self) -> set[str]:
        """Ids of the registered shops that are paused or have left."""
        return {shop_id for shop_id, shop in self.shops.items() if shop.state != "active"}

    def pause(self, shop_id: str, now: datetime) -> None:
        """Leave a shop out of every schedule; it goes on sending and being answered. Raises UnknownShop and WrongState."""
        if self.get(shop_id).state != "active":
            raise WrongState(f"shop {shop_id!r} is {self.shops[shop_id].state} already; jishi shops resume {shop_id} ends that")
        self._enter(shop_id, "paused", now)

    def leave(self, shop_id: str, now: datetime) -> int:
        """Let a shop go: its keys end at once, and no schedule, page or answer has it any more. Its rows stay. Returns the
        number of keys. Raises UnknownShop and WrongState.
        """
        shop = self.get(shop_id)
        if shop.state == "left":
            raise WrongState(f"shop {shop_id!r} has left already; jishi shops resume {shop_id} takes it back")
        self._enter(shop_id, "left", now)
        self.shops[shop_id] = self.shops[shop_id].model_copy(update={"keys": []})
        return len(shop.keys)

    def resume(self, shop_id: str, now: datetime) -> Shop:
        """Take a shop into the schedules again; returns it as it was. Raises UnknownShop and WrongState."""
        before = self.get(shop_id)
        if before.state == "active":
            raise WrongState(f"shop {shop_id!r} is active: there is nothing to resume")
        self._enter(shop_id, "active", now)
        return before

    def _enter(self, shop_id: str, state: State, now: datetime) -> None:
        self.shops[shop_id] = self.get(shop_id).model_copy(update={"state": state, "state_since": now})

    def of_models(self, models_from: ModelsFrom | None) -> list[str]:
        """Ids of all active shops, or of those with such models, sorted."""
        return [shop_id for shop_id in self.active if models_from in (None, self.shops[shop_id].models_from)]

    def issue_key(
        self,
        shop_id: str,
        right: Right,
        *,
        now: datetime | None = None,
        origins: Sequence[str] = (),
        is_test: bool = False,
    ) -> str:
        """A new key of the shop. The text is returned once and kept nowhere; ``now`` is noted as the time of its making.

        Raises UnknownShop, WrongState for a shop that has left, and BadKey for what no key can be.
        """
        if self.get(shop_id).state == "left":
            raise WrongState(f"shop {shop_id!r} has left; take it back first: jishi shops resume {shop_id}")
        if is_test and right == "read":
            raise BadKey("test", "a read key sends nothing; make it a write or track key")
        if origins and right != "track":
            raise BadKey("origin", "only a track key belongs to sites; make it a track key")
        text = f"jk_{right}_{'test_' if is_test else ''}{secrets.token_urlsafe(32)}"
        key = Key(
            key_id=secrets.token_hex(4),
            right=right,
            is_test=is_test,
            sha256=hash_of_key(text),
            created_at=now,
            origins=[site_named(text) for text in origins],
        )
        shop = self.get(shop_id)
        self.shops[shop_id] = shop.model_copy(update={"keys": [*shop.keys, key]})
        return text

    def rotate_keys(self, shop_id: str, right: Right, *, now: datetime | None = None, keep_old: bool = False) -> str:
        """A new key in the place of all of the shop's keys with this right, which end at once unless they are kept. It is for
        every site that one of them was for.
        """
        old = [key for key in self.get(shop_id).keys if key.right == right and not key.is_test]
        sites = {origin for key in old for origin in key.origins} if all(key.origins for key in old) else set[str]()
        text = self.issue_key(shop_id, right, now=now, origins=sorted(sites))
        if not keep_old:
            for key in old:
                self.revoke_key(key.key_id)
        return text

    def revoke_key(self, key_id: str, of_shop: str | None = None) -> tuple[str, Key]:
        """Take a key back, of this shop alone if one is named; returns its shop and the key. Raises UnknownKey."""
        for shop_id, shop in self.shops.items():
            for key in shop.keys:
                if key.key_id == key_id and of_shop in (None, shop_id):
                    kept = [other for other in shop.keys if other is not key]
                    self.shops[shop_id] = shop.model_copy(update={"keys": kept})
                    return shop_id, key
        raise UnknownKey(f"no key has the id {key_id!r}; jishi keys list shows the ids")

    def shop_of_key(self, text: str, right: Right) -> Shop | None:
        """The shop that a key with this right belongs to, or None. Compares in constant time."""
        digest = hash_of_key(text)
        match = None
        for shop in self.shops.values():
            for key in shop.keys:
                if hmac.compare_digest(key.sha256, digest) and key.right == right:
                    match = shop
        return match


def _first_of(error: ValidationError) -> str:
    """The first place of a file that is not as it has to be, and how many more there are."""
    first, *more = error.errors(include_url=False, include_input=False)
    return f"{'.'.join(map(str, first['loc']))}: {first['msg']}" + (f" (and {len(more)} more)" if more else "")


def right_named(text: str) -> Right:
    """The right of a key. Raises BadKey."""
    for right in get_args(Right):
        if right == text:
            return right  # type: ignore[no-any-return]
    raise BadKey("right", f"{text!r} is no right; choose write, read or track")


def site_named(text: str) -> str:
    """A site as browsers write it in ``Origin``: no usual port, letters beyond ASCII as Punycode. Raises BadKey.

    >>> site_named("https://Shop.example:443/"), site_named("http://shop.example:8080"), site_named("https://商店.中国")
    ('https://shop.example', 'http://shop.example:8080', 'https://xn--czrs0t.xn--fiqs8s')
    """
    import httpx

    wrong = BadKey("origin", f"{text!r} is no site; write scheme and host, such as https://shop.example")
    try:
        site = httpx.URL(text.strip())
    except httpx.InvalidURL:
        raise wrong from None
    if site.scheme not in ("http", "https") or not site.host or "%" in site.host or site.userinfo or site.path not in ("", "/"):
        raise wrong
    return f"{site.scheme}://{site.netloc.decode()}".lower()


def in_groups(shop_ids: Sequence[str], size: int) -> list[list[str]]:
    """The ids in as few groups of at most ``size`` as there can be, all nearly as large as each other.

    >>> in_groups(["a", "b", "c", "d"], 3)
    [['a', 'b'], ['c', 'd']]
    """
    count = -(-len(shop_ids) // size)
    return [list(shop_ids[number * len(shop_ids) // count : (number + 1) * len(shop_ids) // count]) for number in range(count)]


def yesterday(time_zone: str, now: datetime) -> date:
    """The last whole day at a place."""
    return now.astimezone(ZoneInfo(time_zone)).date() - timedelta(days=1)


def _zones_like(text: str) -> str:
    """A hint at zones that may be meant: those with a like name, or the city's."""
    known = available_timezones()
    city = [zone for zone in known if zone.rpartition("/")[2].lower() == text.strip().replace(" ", "_").lower()]
    like = sorted(city) or get_close_matches(text, known, 2)
    return f"is {' or '.join(like)} meant?" if like else "write one such as Asia/Shanghai or Europe/Berlin"


def hash_of_key(text: str) -> str:
    """What is kept of a key."""
    return hashlib.sha256(text.encode()).hexdigest()
