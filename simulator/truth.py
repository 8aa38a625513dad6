"""What really happened, known because it was made: written beside the data, never read by the pipeline."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from jishi.files import write_json
from simulator.defects import Delivery
from simulator.journal import PAGE_VIEWED, Happening
from simulator.linkable import PlayedVisit, channel_truth, linkable_truth, played_visits
from simulator.shoppers import APPEAL, PRICE, TASTE
from simulator.world import World


@dataclass
class Truth:
    """Counts of what happened and what was planted; two truths of different days add up."""

    types: Counter[str] = field(default_factory=Counter)
    planted: Counter[str] = field(default_factory=Counter)
    invalid: Counter[str] = field(default_factory=Counter)
    deliveries: int = 0
    visits: int = 0
    visits_with_order: int = 0
    page_views: int = 0
    bot_visits: int = 0
    paid_minor: int = 0
    refunded_minor: int = 0
    payers: set[str] = field(default_factory=set)
    days: list[dict[str, int]] = field(default_factory=list)
    played: list[PlayedVisit] = field(default_factory=list)

    def add(self, other: Truth) -> None:
        """Add the truth of other days."""
        self.types.update(other.types)
        self.planted.update(other.planted)
        self.invalid.update(other.invalid)
        self.payers |= other.payers
        self.days += other.days
        self.played += other.played
        for name in ("deliveries", "visits", "visits_with_order", "page_views", "bot_visits", "paid_minor", "refunded_minor"):
            setattr(self, name, getattr(self, name) + getattr(other, name))

    def summary(self, world: World) -> dict[str, Any]:
        """The truth as JSON. Counts are of events, each once, however often and however late it was delivered."""
        plan = world.plan
        return {
            "shop_id": plan.shop_id,
            "seed": plan.seed,
            "users": plan.users,
            "days": plan.days,
            "start": plan.start.isoformat(),
            "deliveries": self.deliveries,
            "events": sum(self.types.values()),
            "events_by_type": dict(sorted(self.types.items())),
            "planted": {kind: self.planted[kind] for kind in ("late", "duplicate", "future", "invalid")},
            "invalid_by_reason": dict(sorted(self.invalid.items())),
            "visits": self.visits,
            "visits_with_order": self.visits_with_order,
            "page_views": self.page_views,
            "bot_visits": self.bot_visits,
            "conversion": round(self.visits_with_order / self.visits, 6) if self.visits else None,
            "orders": self.types["order_paid"],
            "gmv_minor": self.paid_minor,
            "refunded_minor": self.refunded_minor,
            "paying_customers": len(self.payers),
            "linkable": linkable_truth(self.played),
            "channels": channel_truth(self.played),
            "bots": world.shoppers.anonymous_ids[world.shoppers.count :],
            "preference": {
                "log_odds": "taste * (taste_of_shopper . vector) + appeal * item_appeal - price * price_sensitivity * price_z",
                "taste": TASTE,
                "appeal": APPEAL,
                "price": PRICE,
            },
            "by_day": self.days,
        }


def truth_of(happenings: Iterable[Happening], deliveries: Iterable[Delivery], world: World, day: int | None) -> Truth:
    """Truth of what one day brought about; ``day`` None leaves it out of the list of days."""
    truth = Truth()
    bots = frozenset(world.shoppers.anonymous_ids[world.shoppers.count :])
    happenings = list(happenings)
    truth.played = played_visits(happenings, bots)
    visits: dict[str, bool] = {}
    bot_visits: set[str] = set()
    for happening in happenings:
        truth.types[happening.type] += 1
        if happening.session_id is None or happening.type == "order_refunded":
            truth.refunded_minor += happening.properties.get("amount_minor", 0) if happening.type == "order_refunded" else 0
            continue
        if happening.anonymous_id in bots:
            bot_visits.add(happening.session_id)
            continue
        visits.setdefault(happening.session_id, False)
        truth.page_views += happening.type == PAGE_VIEWED
        if happening.type == "order_paid":
            visits[happening.session_id] = True
            truth.payers.add(str(happening.user_id))
            truth.paid_minor += paid_minor(happening.properties)
    truth.visits, truth.visits_with_order, truth.bot_visits = len(visits), sum(visits.values()), len(bot_visits)
    for delivery in deliveries:
        truth.deliveries += 1
        if delivery.defect is not None:
            truth.planted[delivery.defect] += 1
        if delivery.reason is not None:
            truth.invalid[delivery.reason] += 1
    if day is not None:
        orders = truth.types["order_paid"]
        truth.days = [{"day": day, "visits": truth.visits, "orders": orders, "gmv_minor": truth.paid_minor}]
    return truth


def paid_minor(order: dict[str, Any]) -> int:
    """What an order cost: its lines less its discount plus shipping, in minor units."""
    lines = sum(line["quantity"] * line["unit_price_minor"] for line in order["lines"])
    return int(lines - order["discount_minor"] + order["shipping_minor"])


def write_truth(folder: Path, world: World, truth: Truth, planted: Iterable[Delivery]) -> None:
    """``summary.json``, ``shoppers.parquet``, ``items.parquet`` and ``planted.jsonl`` below ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    people, catalogue = world.shoppers, world.catalogue
    write_json(folder / "summary.json", truth.summary(world))
    shoppers = {
        "user_id": [people.user_id(n) for n in range(people.count)],
        "anonymous_id": people.devices.first,
        "second_anonymous_id": [
            second if people.devices.has_second[n] else None for n, second in enumerate(people.devices.second)
        ],
        "borrows_from": [None if n < 0 else people.devices.first[n] for n in people.devices.lender.tolist()],
        "taste": people.taste.tolist(),
        "price_sensitivity": people.price_sensitivity,
        "eagerness": people.eagerness,
        "visits_per_day": people.visits_per_day,
        "arrival_day": people.arrival_day,
        "login_day": people.login_day,
        "rhythm_days": people.rhythm_days,
        "staples": [[catalogue.ids[item] for item in staples.tolist()] for staples in people.staples],
    }
    items = {
        "item_id": catalogue.ids,
        "category": [catalogue.category_name(item) for item in range(len(catalogue))],
        "vector": catalogue.vectors.tolist(),
        "appeal": catalogue.appeal,
        "price_z": catalogue.price_z,
    }
    pq.write_table(pa.table(shoppers), folder / "shoppers.parquet")
    pq.write_table(pa.table(items), folder / "items.parquet")
    with (folder / "planted.jsonl").open("wb") as file:
        for delivery in planted:
            entry = {"event_id": delivery.event_id, "defect": delivery.defect, "reason": delivery.reason}
            file.write(orjson.dumps(entry) + b"\n")
