"""New items with few impressions: the posterior of their click rates, and the persons whose taste their text fits."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from jishi.lake.query import open_lake
from jishi.lake.reading import LakeVersion
from models.als import ALS
from models.explore import Belief, prior_rates
from models.interactions import NEW_FOR_DAYS, Interactions, recently_listed
from models.placements.lists import LENGTH, Lists
from models.recommender import State, top_k
from models.sessions.sequences import Numbers
from models.text.attribute_mapping import AttributeMapping
from models.text.words import ItemText

LISTED_WITHIN = np.timedelta64(NEW_FOR_DAYS, "D")
FEW_IMPRESSIONS = 200
PRIOR_STRENGTH = 20.0  # impressions that the prior weighs as much as
PRIOR_RATE = 0.02  # of a shop that has seen no click yet
LEAST_PERSONS = 5  # an item of fewer persons has its place from its text
BATCH = 512


class BadNewcomers(ValueError):
    """The arrays of an artefact are not newcomers; the message names the fault."""


@dataclass(frozen=True)
class Newcomers:
    """New items by number, rising, the belief on the click rate of each, and for each person those nearest to their taste."""

    items: Numbers
    belief: Belief
    nearest: Lists

    def states(self) -> dict[str, State]:
        """Arrays by file name."""
        state: State = {"items": self.items, "a": self.belief.a, "b": self.belief.b}
        return {"newcomers": state, "newcomers_nearest": self.nearest.state()}

    @classmethod
    def from_states(cls, states: dict[str, State], persons: int, items: int) -> Newcomers:
        """Newcomers among so many items. Raises BadNewcomers, BadLists and ValueError for a belief that is none."""
        state = states["newcomers"]
        if set(state) != {"items", "a", "b"} or len(state["items"]) != len(state["a"]):
            raise BadNewcomers(f"newcomers have items, a and b of one length, found {sorted(state)}")
        numbers = state["items"].astype(np.int64)
        if len(numbers) == 0 or numbers.min() < 0 or numbers.max() >= items or (np.diff(numbers) <= 0).any():
            raise BadNewcomers(f"newcomers name an item that is not among the {items}, or one twice")
        belief = Belief(state["a"].astype(np.float64), state["b"].astype(np.float64))
        return cls(numbers, belief, Lists.from_state(states["newcomers_nearest"], persons, items))


FILES = ("newcomers", "newcomers_nearest")


@dataclass(frozen=True)
class Facts:
    """Of each item of a shop: words, when it was listed (NaT for unknown), and how often it was shown and clicked."""

    texts: Sequence[ItemText]
    categories: Sequence[str]
    listed_at: np.ndarray
    shown: np.ndarray
    clicked: np.ndarray

    def digest(self) -> str:
        """SHA-256 of all of it: texts change what is near a taste, clicks and impressions what is believed of an item."""
        digest = hashlib.sha256(repr([(text.title, sorted(text.labels.items())) for text in self.texts]).encode())
        digest.update(repr(list(self.categories)).encode())
        for column in (self.listed_at, self.shown, self.clicked):
            digest.update(np.ascontiguousarray(column).tobytes())
        return digest.hexdigest()


def read_facts(lake: LakeVersion, shop_id: str, item_ids: Sequence[str]) -> Facts | None:
    """Facts of the items in that order, None when nothing is new; an item is listed at its first ``item_changed``."""
    with open_lake(lake) as connection:
        if not recently_listed(connection, shop_id):
            return None
        texts = connection.execute(
            "select item_id, title, category, brand, attributes from silver_items where shop_id = ?", [shop_id]
        ).fetchall()
        counts = connection.execute(
            """
            with events as (select type, item_id, occurred_at, line from silver_events where shop_id = $shop and type in
                ('item_changed', 'recommendation_shown', 'recommendation_clicked')),
            shown as (
                select unnest(from_json(json_extract(line, '$.properties.item_ids'), '["varchar"]')) as item_id
                from events where type = 'recommendation_shown'
            ),
            counts as (
                select item_id, occurred_at as listed_at, 0 as shown, 0 as clicked from events where type = 'item_changed'
                union all select item_id, null, 1, 0 from shown
                union all select item_id, null, 0, 1 from events where type = 'recommendation_clicked'
            )
            select item_id, min(listed_at), sum(shown), sum(clicked) from counts where item_id is not null group by 1
            """,
            {"shop": shop_id},
        ).fetchall()
    words = {
        item_id: (title or "", category or "", _labels(category, brand, rest))
        for item_id, title, category, brand, rest in texts
    }
    by_item = {item_id: (listed_at, shown, clicked) for item_id, listed_at, shown, clicked in counts}
    item_texts = [words.get(item_id, ("", "", {})) for item_id in item_ids]
    numbers = [by_item.get(item_id, (None, 0, 0)) for item_id in item_ids]
    return Facts(
        [ItemText(title, labels) for title, _, labels in item_texts],
        [category for _, category, _ in item_texts],
        np.array([listed_at for listed_at, _, _ in numbers], dtype="datetime64[us]"),
        np.array([float(shown) for _, shown, _ in numbers]),
        np.array([float(min(shown, clicked)) for _, shown, clicked in numbers]),
    )


def _labels(category: str | None, brand: str | None, attributes: str | None) -> dict[str, str]:
    extra = json.loads(attributes or "{}")
    return {"category": category or "", "brand": brand or "", **{name: str(value) for name, value in extra.items()}}


def find(facts: Facts, acts: Interactions, als: ALS, as_of: np.datetime64) -> Newcomers | None:
    """The newcomers of a shop at ``as_of``; None when there are none."""
    age = as_of - facts.listed_at
    is_new = (age >= np.timedelta64(0)) & (age < LISTED_WITHIN) & (facts.shown < FEW_IMPRESSIONS)  # NaT is neither
    items = np.flatnonzero(is_new)
    if len(items) == 0:
        return None
    rates = _prior_rates(facts, is_new)
    belief = Belief.of(rates, PRIOR_STRENGTH, facts.clicked[items], facts.shown[items])
    return Newcomers(items, belief, _nearest(facts, acts, als, is_new))


def _prior_rates(facts: Facts, is_new: np.ndarray) -> np.ndarray:
    """Prior click rate of each new item: that of old items of its category."""
    old = ~is_new
    if facts.clicked[old].sum() <= 0:
        return np.full(int(is_new.sum()), PRIOR_RATE)
    _, kind = np.unique(np.array(facts.categories), return_inverse=True)
    one_hot = sparse.csr_matrix((np.ones(len(kind), dtype=np.float32), kind, np.arange(len(kind) + 1)))
    rates = prior_rates(one_hot[old], facts.clicked[old], facts.shown[old], one_hot[is_new])
    return np.clip(rates, 1e-4, 0.5)


def _nearest(facts: Facts, acts: Interactions, als: ALS, is_new: np.ndarray) -> Lists:
    """For each person with acts the new items of the highest score, mapped from their text where few persons know them."""
    from models.text.tfidf import TfIdf  # scikit-learn takes seconds to import, and few releases have new items

    histories = acts.matrix()
    features = TfIdf().fit(facts.texts).transform(facts.texts)
    mapping = AttributeMapping(als, features, least_persons=LEAST_PERSONS).fit_mapping(histories)
    items = np.full((histories.shape[0], LENGTH), -1, dtype=np.int64)
    for start in range(0, histories.shape[0], BATCH):
        part = histories[start : start + BATCH]
        scores = np.where(is_new, mapping.score(part), -np.inf).astype(np.float32)
        best = top_k(scores, LENGTH, part)  # what a person has touched is not new to them
        best[np.diff(part.indptr) == 0] = -1
        items[start : start + len(best), : best.shape[1]] = best
    weights = np.where(items >= 0, 1 / (1 + np.arange(LENGTH, dtype=np.float32)), 0)
    return Lists.of(items, weights, "new")
