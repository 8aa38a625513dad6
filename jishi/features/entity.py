"""What a feature is about: the key columns of each entity, and its id as one text.

The shop is part of every key and never named here. An entity with one key column has the plain value as its id, the shop itself
its own id. With several columns the values are escaped (``%`` as ``%25``, ``|`` as ``%7C``) and joined with ``|``, which every
engine can write, and which is undone without doubt.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

Entity = Literal["person", "item", "shop", "person_category", "share", "group_buy"]

ENTITY_KEYS: dict[str, tuple[str, ...]] = {
    "person": ("person_id",),
    "item": ("item_id",),
    "shop": (),
    "person_category": ("person_id", "category"),
    "share": ("share_id",),
    "group_buy": ("group_buy_id",),
}
# Entities with one key column besides the shop's.
ENTITY_COLUMN: dict[str, str] = {entity: keys[0] for entity, keys in ENTITY_KEYS.items() if len(keys) == 1}

SEPARATOR = "|"
ESCAPES = (("%", "%25"), ("|", "%7C"))  # in this order, undone in the other


def entity_id(shop_id: str, values: Sequence[str]) -> str:
    """The id of an entity from the values of its key columns."""
    if not values:
        return shop_id
    return values[0] if len(values) == 1 else SEPARATOR.join(_escape(value) for value in values)


def key_values(entity: str, identity: str) -> dict[str, str]:
    """The key columns of an entity's id. Raises ValueError when the id is not one of this entity."""
    keys = ENTITY_KEYS[entity]
    if not keys:
        return {}
    if len(keys) == 1:
        return {keys[0]: identity}
    values = identity.split(SEPARATOR)
    if len(values) != len(keys):
        raise ValueError(f"{identity!r} is no id of a {entity}, which has {len(keys)} parts joined with {SEPARATOR!r}")
    return {key: _unescape(value) for key, value in zip(keys, values, strict=True)}


def entity_of(entity: str, act: Mapping[str, Any]) -> str | None:
    """The id of the entity that an act is about; None when the act does not name it."""
    values = [act[key] for key in ENTITY_KEYS[entity]]
    return None if any(value is None for value in values) else entity_id(act["shop_id"], values)


def _escape(value: str) -> str:
    for plain, escaped in ESCAPES:
        value = value.replace(plain, escaped)
    return value


def _unescape(value: str) -> str:
    for plain, escaped in reversed(ESCAPES):
        value = value.replace(escaped, plain)
    return value
