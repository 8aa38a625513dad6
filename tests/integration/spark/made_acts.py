"""A small made log of acts, and what follows from it by definition: strengths and cosines."""

from __future__ import annotations

import random
from collections import defaultdict
from math import log1p, sqrt
from typing import Any

from jishi.preference import WEIGHTS
from jishi.tables import SILVER_INTERACTIONS, SILVER_ITEMS

LEAST_TOGETHER = 2
Act = tuple[str | None, str, str]
ITEMS = {f"i{item:02}": {"status": "active", "stock": 3} for item in range(15)}
ITEMS |= {"i01": {"status": "active", "stock": 0}, "i02": {"status": "withdrawn", "stock": 3}, "i03": {"status": "active"}}


def made_acts() -> list[Act]:
    """Persons of three tastes, twins among them; acts without a person and on an item outside the catalogue."""
    luck = random.Random(5)
    acts: list[Act] = [
        (f"p{person:02}", f"i{(person % 3 * 4 + int(luck.triangular(0, 7, 1))) % 14:02}", luck.choice(list(WEIGHTS)))
        for person in range(24)
        for _ in range(luck.randint(1, 6))
    ]
    acts += [(f"{person}-twin", item, kind) for person, item, kind in acts if person in ("p03", "p04")]
    return [*acts, (None, "i05", "pay"), ("p01", "gone", "pay"), ("p02", "gone", "pay"), ("lone", "i14", "view")]


def publish_acts(platform: Any, acts: list[Act], shop_id: str = "a") -> None:
    rows = [
        {"shop_id": shop_id, "event_id": str(n), "line_number": 0, "person_id": person, "item_id": item, "kind": kind}
        for n, (person, item, kind) in enumerate(acts)
    ]
    platform.publish(SILVER_INTERACTIONS, rows)
    platform.publish(SILVER_ITEMS, [{"shop_id": shop_id, "item_id": item} | state for item, state in ITEMS.items()])


def histories_of(acts: list[Act]) -> dict[str, dict[str, float]]:
    """Strength of preference by person and item of the catalogue."""
    weights: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for person, item, kind in acts:
        if person is not None and item in ITEMS:
            weights[person][item] += WEIGHTS[kind]
    return {person: {item: log1p(weight) for item, weight in mine.items()} for person, mine in weights.items()}


def cosine(histories: dict[str, dict[str, float]], item: str, other: str) -> float:
    """Cosine of two items over persons, 0 where fewer than two have both."""
    a, b = ({person for person, mine in histories.items() if one in mine} for one in (item, other))
    return len(a & b) / sqrt(len(a) * len(b)) if len(a & b) >= LEAST_TOGETHER else 0.0
