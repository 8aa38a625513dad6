"""Find a shop's new items with few impressions: what is to be believed of their click rates, whose taste their text fits."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from jishi.lake.query import open_lake
from jishi.lake.reading import LakeVersion
from models.algorithms.als import ALS
from models.algorithms.attribute_mapping import AttributeMapping
from models.algorithms.exploration import Belief, prior_rates
from models.algorithms.item_text import ItemText
from models.algorithms.position_bias import PlacedImpressions
from models.algorithms.recommender import top_k
from models.candidates.click_counts import COUNTS
from models.candidates.newcomers import EXPLORED_PLACE, Newcomers
from models.candidates.person_lists import LENGTH, PersonLists
from models.data.interactions import NEW_FOR_DAYS, Interactions, recently_listed
from models.data.sequences import evenly_spaced

LISTED_WITHIN = np.timedelta64(NEW_FOR_DAYS, "D")


FEW_IMPRESSIONS = 200


# Of a shop, the newest first. To know which is best takes serving 40 kB and half a millisecond of each, every minute, and a
# hundred thousand are no news: a catalogue that has just been imported is all new.
MOST_NEW = 2_000


PRIOR_STRENGTH = 20.0  # impressions that the prior weighs as much as


PRIOR_RATE = 0.02  # of a shop that has seen no click yet


LEAST_PERSONS = 5  # an item of fewer persons has its place from its text


BATCH = 512
MOST_TEACHING_ITEMS = 50_000


@dataclass(frozen=True)
class Facts:
    """Of each item of a shop: words, when it was listed (NaT for unknown), how often it was shown and clicked, and how often it
    was ``examined``: its impressions as if all had been in the place that explores (``models.algorithms.position_bias``), where
    each place is ``looked_at`` so often. Events that became known until ``known_to_ms`` are in it.
    """

    texts: Sequence[ItemText]
    categories: Sequence[str]
    listed_at: np.ndarray
    shown: np.ndarray
    clicked: np.ndarray
    examined: np.ndarray
    looked_at: np.ndarray
    known_to_ms: int

    def digest(self) -> str:
        """SHA-256 of all of it: texts change what is near a taste, clicks and impressions what is believed of an item."""
        digest = hashlib.sha256(repr([(text.title, sorted(text.labels.items())) for text in self.texts]).encode())
        digest.update(repr(list(self.categories)).encode())
        digest.update(repr(self.known_to_ms).encode())
        for column in (self.listed_at, self.shown, self.clicked, self.examined, self.looked_at):
            digest.update(np.ascontiguousarray(column).tobytes())
        return digest.hexdigest()


# Impressions and clicks by item and place, as models.candidates.click_counts counts them.
_IMPRESSIONS = f"""
    with events as (select type, item_id, person_id, line from silver_events where shop_id = $shop and type in
        ('recommendation_shown', 'recommendation_clicked')),
    lists as (
        select person_id, json_extract_string(line, '$.properties.request_id') as request_id,
            from_json(json_extract(line, '$.properties.item_ids'), '["varchar"]') as item_ids
        from events where type = 'recommendation_shown'
    ),
    shown as (
        select request_id, person_id, unnest(item_ids) as item_id, generate_subscripts(item_ids, 1) - 1 as place from lists
    ),
    clicks as (
        select item_id, person_id, json_extract_string(line, '$.properties.request_id') as request_id,
            try_cast(json_extract_string(line, '$.properties.position') as bigint) as position
        from events where type = 'recommendation_clicked'
    ),
    {COUNTS}
"""


def read_facts(lake: LakeVersion, shop_id: str, item_ids: Sequence[str]) -> Facts | None:
    """Facts of the items in that order, None when nothing is new; an item is listed at its first ``item_changed``."""
    with open_lake(lake) as connection:
        if not recently_listed(connection, shop_id):
            return None
        texts = connection.execute(
            "select item_id, title, category, brand, attributes from silver_items where shop_id = ?", [shop_id]
        ).fetchall()
        listed = connection.execute(
            "select item_id, min(occurred_at) from silver_events where shop_id = ? and type = 'item_changed' group by 1",
            [shop_id],
        ).fetchall()
        impressions = connection.execute(_IMPRESSIONS, {"shop": shop_id}).fetchall()
        [[known_to_ms]] = connection.execute(
            "select coalesce(max(epoch_ms(received_at)), 0) from silver_events where shop_id = ?", [shop_id]
        ).fetchall()
    words = {
        item_id: (title or "", category or "", _labels(category, brand, rest))
        for item_id, title, category, brand, rest in texts
    }
    number_of = {item_id: number for number, item_id in enumerate(item_ids)}
    known = [(number_of[item_id], *rest) for item_id, *rest in impressions if item_id in number_of]
    item, place, shown, clicked = (np.array(column) for column in zip(*known, strict=True)) if known else np.zeros((4, 0))
    counts = PlacedImpressions(item.astype(np.int64), place.astype(np.int64), shown.astype(float), clicked.astype(float))
    shown, clicked = (
        np.bincount(counts.item, weights=each, minlength=len(item_ids)) for each in (counts.shown, counts.clicked)
    )
    item_texts, listed_at = [words.get(item_id, ("", "", {})) for item_id in item_ids], dict(listed)
    return Facts(
        [ItemText(title, labels) for title, _, labels in item_texts],
        [category for _, category, _ in item_texts],
        np.array([listed_at.get(item_id) for item_id in item_ids], dtype="datetime64[us]"),
        shown,
        np.minimum(shown, clicked),
        counts.examined(len(item_ids), EXPLORED_PLACE, looked_at := counts.examination()),
        looked_at,
        known_to_ms,
    )


def _labels(category: str | None, brand: str | None, attributes: str | None) -> dict[str, str]:
    extra = json.loads(attributes or "{}")
    return {"category": category or "", "brand": brand or "", **{name: str(value) for name, value in extra.items()}}


def find(facts: Facts, acts: Interactions, als: ALS, as_of: np.datetime64) -> Newcomers | None:
    """The newcomers of a shop at ``as_of``; None when there are none."""
    age = as_of - facts.listed_at
    is_new = (age >= np.timedelta64(0)) & (age < LISTED_WITHIN) & (facts.shown < FEW_IMPRESSIONS)  # NaT is neither
    chosen = newest_of(is_new, facts.listed_at)
    items = np.flatnonzero(chosen)
    if len(items) == 0:
        return None
    rates = _prior_rates(facts, is_new)[chosen[is_new]]
    belief = Belief.of(rates, PRIOR_STRENGTH, facts.clicked[items], facts.examined[items])
    return Newcomers(items, belief, _nearest(facts, acts, als, chosen), facts.looked_at, facts.known_to_ms)


def newest_of(is_new: np.ndarray, listed_at: np.ndarray, most: int = MOST_NEW) -> np.ndarray:
    """Of the items (items,) that are new the ``most`` that were listed last."""
    numbers = np.flatnonzero(is_new)
    kept = np.zeros_like(is_new)
    kept[numbers[np.lexsort((numbers, -listed_at[numbers].astype(np.int64)))][:most]] = True
    return kept


def _prior_rates(facts: Facts, is_new: np.ndarray) -> np.ndarray:
    """Prior click rate of each new item: that of old items of its category."""
    old = ~is_new
    if facts.clicked[old].sum() <= 0:
        return np.full(int(is_new.sum()), PRIOR_RATE)
    _, kind = np.unique(np.array(facts.categories), return_inverse=True)
    one_hot = sparse.csr_matrix((np.ones(len(kind), dtype=np.float32), kind, np.arange(len(kind) + 1)))
    rates = prior_rates(one_hot[old], facts.clicked[old], facts.examined[old], one_hot[is_new])
    return np.clip(rates, 1e-4, 0.5)


def _nearest(facts: Facts, acts: Interactions, als: ALS, is_new: np.ndarray) -> PersonLists:
    """For each person with acts the new items of the highest score, mapped from their text where few persons know them."""
    from models.algorithms.tfidf import TfIdf  # scikit-learn takes seconds to import, and few releases have new items

    histories = acts.matrix()
    known = np.flatnonzero(~is_new)
    # What text says of taste is learnt from some of the others; they need not be all of a million.
    rows = np.union1d(np.flatnonzero(is_new), known[evenly_spaced(len(known), MOST_TEACHING_ITEMS)])
    texts = [facts.texts[row] for row in rows.tolist()]
    features = TfIdf().fit(texts).transform(texts)
    mapping = AttributeMapping(als, features, least_persons=LEAST_PERSONS).fit_mapping(histories[:, rows])
    newest = rows[is_new[rows]]
    factors = mapping.factors_of(np.asarray(als.state()["item_factors"], dtype=np.float32)[rows])[is_new[rows]]
    person_factors, touched = als.fold_in(histories), sparse.csr_matrix(histories[:, newest])
    items = np.full((histories.shape[0], LENGTH), -1, dtype=np.int32)
    for start in range(0, histories.shape[0], BATCH):
        part = slice(start, min(start + BATCH, histories.shape[0]))
        best = top_k(person_factors[part] @ factors.T, LENGTH, touched[part])  # what a person has touched is not new to them
        best = np.where(best >= 0, newest[best], -1)
        best[np.diff(histories.indptr[part.start : part.stop + 1]) == 0] = -1
        items[part, : best.shape[1]] = best
    weights = np.where(items >= 0, 1 / (1 + np.arange(LENGTH, dtype=np.float32)), 0)
    return PersonLists.of(items, weights, "new")
