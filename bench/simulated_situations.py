"""A simulated shop at one instant, as ``models.lab.feature_ranker`` wants it."""

from __future__ import annotations

import numpy as np

from bench.simulated_data import LATENESS_S, Impression, ShopData
from jishi.features.snapshot import priors, snapshot
from models.algorithms.recommender import Scores
from models.data.sequences import Numbers
from models.data.snapshot import Goods, Snapshot, snapshot_at, usual_prices
from models.lab.feature_ranker.labels import ClickedImpressions
from models.lab.feature_ranker.situation import ITEM_FEATURES, PERSON_FEATURES, Situation, declared, store_values
from models.lab.segment_popularity import favourite_category

HOME = 0  # the number of the placement
UTC_OFFSET_H = 8


def situation_at(shop: ShopData, as_of: np.datetime64) -> Situation:
    """Everything that was known of the shop at an instant."""
    moment = snapshot_at(shop.interactions, goods_at(shop, as_of), as_of)
    moment = Snapshot(moment.acts, moment.goods, as_of, favourite_category(moment))
    return Situation(moment, *_store_at(shop, as_of), _context_at(shop, as_of))


def goods_at(shop: ShopData, as_of: np.datetime64) -> Goods:
    """What the catalogue said at an instant."""
    items, changes = len(shop.facts), shop.changes
    listed = np.full(items, np.datetime64("NaT"), dtype="datetime64[us]")
    known = changes.at < as_of
    order = np.argsort(changes.at[known], kind="stable")
    at, item, price = changes.at[known][order], changes.item[known][order], changes.price[known][order]
    offered = np.where(changes.is_sellable[known][order], price, np.nan)
    listed[item[::-1]] = at[::-1]  # the first one is written last, and stays
    current = np.full(items, np.nan)
    current[item] = price
    category, brand = (
        np.unique([facts[name] for facts in shop.facts], return_inverse=True)[1] for name in ("category", "brand")
    )
    return Goods(category, listed, current, usual_prices(item, at, offered, items, as_of), brand)


def sellable_at(shop: ShopData, as_of: np.datetime64) -> np.ndarray:
    """Which items could be bought at an instant."""
    sellable = np.zeros(len(shop.facts), dtype=np.bool_)
    known = shop.changes.at < as_of
    order = np.argsort(shop.changes.at[known], kind="stable")
    sellable[shop.changes.item[known][order]] = shop.changes.is_sellable[known][order]
    return sellable


def _store_at(shop: ShopData, as_of: np.datetime64) -> tuple[Scores, Scores]:
    as_of_ms = int(as_of.astype("datetime64[ms]").astype(np.int64))
    names = (PERSON_FEATURES, ITEM_FEATURES)
    features = [feature for group in names for feature in declared(group)]
    by_feature = snapshot(features, shop.acts, as_of_ms, allowed_lateness_s=LATENESS_S)
    of_nothing = (
        priors(features, shop.acts, as_of_ms, shop.acts[0]["shop_id"], allowed_lateness_s=LATENESS_S) if shop.acts else {}
    )
    plain = {name: {entity: value for (_, entity), value in values.items()} for name, values in by_feature.items()}
    ids = (shop.interactions.person_ids.tolist(), shop.interactions.item_ids.tolist())
    persons, items = (store_values(group, entities, plain, of_nothing) for group, entities in zip(names, ids, strict=True))
    return persons, items


def _context_at(shop: ShopData, as_of: np.datetime64) -> Numbers:
    """The context of each person's last visit before the instant: nobody knows that of the next one."""
    context = np.full((len(shop.interactions.person_ids), 5), -1, dtype=np.int64)
    context[:, 2] = HOME
    channels, devices = (sorted({visit[place] for visit in shop.visits}) for place in (2, 3))
    for person, at, channel, device in sorted(shop.visits, key=lambda visit: visit[1]):
        if at >= as_of:
            break
        hours = int(at.astype("datetime64[h]").astype(np.int64)) + UTC_OFFSET_H
        # 1970-01-01 was a Thursday.
        context[person] = (hours % 24, (hours // 24 + 3) % 7, HOME, channels.index(channel), devices.index(device))
    return context


def impressions_of(shop: ShopData) -> ClickedImpressions:
    """All items shown on home pages."""
    rows: list[tuple[int, int, np.datetime64, bool]] = []
    impression: Impression
    for impression in shop.impressions:
        rows += [(impression.person, item, impression.at, item == impression.clicked) for item in impression.shown]
    return ClickedImpressions(
        np.array([row[0] for row in rows], dtype=np.int64),
        np.array([row[1] for row in rows], dtype=np.int64),
        np.array([row[2] for row in rows], dtype="datetime64[us]"),
        np.array([row[3] for row in rows], dtype=np.bool_),
    )
