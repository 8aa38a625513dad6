"""A simulated shop as models see it: the contract, outcomes and acts of the platform, without its engines."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import orjson

from jishi.features.event_log import read_log
from jishi.features.oracle import Act, good_acts
from models.data.interactions import Interactions
from simulator.history import simulate
from simulator.world import SimulationPlan

LATENESS_S, FUTURE_S = 30, 5
KINDS = {"item_viewed": "view", "item_added_to_cart": "add", "item_shared": "share", "line_paid": "pay"}
Numbers = npt.NDArray[np.int64]
Instants = npt.NDArray[np.datetime64]


class LoggedVisit(NamedTuple):
    """How a visit of a person began."""

    person: int
    at: np.datetime64
    channel: str
    device: str


class Impression(NamedTuple):
    """A list of recommendations that a person saw; ``clicked`` is an item, or −1."""

    person: int
    at: np.datetime64
    shown: list[int]
    clicked: int


@dataclass(frozen=True)
class PriceChanges:
    """States of items over time: number of the item, when, price (minor units), whether it could be bought."""

    item: Numbers
    at: Instants
    price: npt.NDArray[np.float64]
    is_sellable: npt.NDArray[np.bool_]


@dataclass(frozen=True)
class ShopData:
    """One shop: acts on items, what the catalogue said, contexts of visits, and all acts for features, in the log's order."""

    shop_id: str
    interactions: Interactions
    changes: PriceChanges
    facts: list[dict[str, Any]]  # properties of each item in its first event
    acts: list[Act]
    visits: list[LoggedVisit]
    impressions: list[Impression]


def make_shop_data(plan: SimulationPlan) -> ShopData:
    """Simulate and read a shop."""
    with tempfile.TemporaryDirectory() as folder:
        simulate(plan, Path(folder))
        log = read_log(Path(folder) / plan.shop_id)
    acts = good_acts(log, allowed_lateness_s=LATENESS_S, future_tolerance_s=FUTURE_S)
    changes = [orjson.loads(row["line"]) for row in log if row["type"] == "item_changed" and not row["invalid_reason"]]
    first = {each["properties"]["item_id"]: each["properties"] for each in reversed(changes)}
    item_ids = np.array(sorted(first))
    number_of = {item_id: number for number, item_id in enumerate(item_ids.tolist())}
    states = [each["properties"] for each in changes]
    price_changes = PriceChanges(
        np.array([number_of[state["item_id"]] for state in states]),
        np.array([each["occurred_at"].rstrip("Z") for each in changes], dtype="datetime64[us]"),
        np.array([float(state["unit_price_minor"]) for state in states]),
        np.array([state["stock"] > 0 and state["status"] == "active" for state in states]),
    )
    used = [act for act in acts if act["kind"] in KINDS and act["person_id"] is not None]
    person_ids, person = np.unique(np.array([act["person_id"] for act in used]), return_inverse=True)
    place_of = {person_id: place for place, person_id in enumerate(person_ids.tolist())}
    interactions = Interactions(
        person_ids,
        item_ids,
        person,
        np.array([number_of[act["item_id"]] for act in used]),
        np.array([KINDS[act["kind"]] for act in used]),
        _instants([act["occurred_at_ms"] for act in used]),
        _instants([act["received_at_ms"] for act in used]),
    )
    facts = [first[item_id] for item_id in item_ids.tolist()]
    return ShopData(
        plan.shop_id, interactions, price_changes, facts, acts, _visits(log, place_of), _impressions(log, place_of, number_of)
    )


def _instants(milliseconds: list[int]) -> Instants:
    return np.array(milliseconds, dtype="datetime64[ms]").astype("datetime64[us]")


def _visits(log: list[dict[str, Any]], place_of: dict[str, int]) -> list[LoggedVisit]:
    """The first event of each visit of a person."""
    visits: dict[str, LoggedVisit] = {}
    for row in log:
        if row["invalid_reason"] or row["session_id"] in visits or row["person_id"] not in place_of:
            continue
        context = orjson.loads(row["line"]).get("context") or {}
        at = _instants([row["occurred_at_ms"]])[0]
        visits[row["session_id"]] = LoggedVisit(
            place_of[row["person_id"]], at, context.get("channel", ""), context.get("device", "")
        )
    return list(visits.values())


def _impressions(log: list[dict[str, Any]], place_of: dict[str, int], number_of: dict[str, int]) -> list[Impression]:
    clicked: dict[str, str] = {}
    shown: dict[str, tuple[int, np.datetime64, list[int]]] = {}
    for row in log:
        if row["type"] not in ("recommendation_shown", "recommendation_clicked") or row["invalid_reason"]:
            continue
        properties = orjson.loads(row["line"])["properties"]
        if row["type"] == "recommendation_clicked":
            clicked[properties["request_id"]] = properties["item_id"]
        elif row["person_id"] in place_of:
            items = [number_of[item] for item in properties["item_ids"]]
            shown[properties["request_id"]] = (place_of[row["person_id"]], _instants([row["occurred_at_ms"]])[0], items)
    return [Impression(*each, number_of.get(clicked.get(request, ""), -1)) for request, each in shown.items()]
