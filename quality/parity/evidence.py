"""Find the events behind a value: in a folder of events, or in the lake's bronze."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from jishi.features import Feature
from jishi.features.entity import key_values
from jishi.features.event_log import read_log, zones_of
from jishi.features.oracle import good_acts
from jishi.features.why import FeatureReason, UnknownFeature, named_entity, named_feature, reason
from jishi.lake.live import with_live_tail
from jishi.lake.query import open_lake
from jishi.lake.reading import open_version
from jishi.paths import Paths
from jishi.settings import Settings, get_settings
from jishi.shops import Shops
from jishi.tables import BRONZE_HISTORY, BRONZE_LIVE
from quality.parity.bronze_acts import records_behind


def evidence(entity_text: str, feature_name: str, as_of_ms: int, events: Path | None, shop: str | None) -> FeatureReason:
    """Why a feature has its value at an instant. Raises UnknownFeature, LandingError, or TableNotPublished without bronze."""
    settings = get_settings()
    entity, identity = named_entity(entity_text)
    feature = named_feature(entity, feature_name)
    try:
        key_values(entity, identity)
    except ValueError as error:
        raise UnknownFeature(str(error)) from None
    if events is not None:
        log = read_log(events, time.time_ns() // 1_000_000)
    else:
        log = _bronze(settings, shop or _shop_of(entity, identity), feature, identity)
    shops = sorted({row["shop_id"] for row in log})
    chosen = shop or (shops[0] if len(shops) == 1 else _shop_of(entity, identity))
    if chosen is None:
        raise UnknownFeature(f"the events are of several shops ({', '.join(shops)}); say which with --shop")
    of_shop = [row for row in log if row["shop_id"] == chosen]
    acts = good_acts(
        of_shop,
        allowed_lateness_s=settings.allowed_lateness_s,
        future_tolerance_s=settings.future_tolerance_s,
        zones=zones_of(events) if events is not None else Shops.load(Paths.of(settings).shops_file).zones,
    )
    return reason(feature, identity, as_of_ms, acts, allowed_lateness_s=settings.allowed_lateness_s)


def _shop_of(entity: str, identity: str) -> str | None:
    return identity if entity == "shop" else None


def _bronze(settings: Settings, shop: str | None, feature: Feature, identity: str) -> list[dict[str, Any]]:
    if shop is None:
        raise UnknownFeature("bronze holds several shops; say which with --shop")
    lake = with_live_tail(open_version(settings))
    if not lake.has(BRONZE_HISTORY.name):
        lake.require(BRONZE_LIVE.name)
    with open_lake(lake) as connection:
        rows = records_behind(connection, shop, feature, [identity])
        if feature.prior is None:
            return rows
        of_shop = records_behind(connection, shop, named_feature("shop", feature.prior), [shop])
    return sorted({(row["collector_id"], row["seq"]): row for row in (*rows, *of_shop)}.values(), key=_in_order_of_knowing)


def _in_order_of_knowing(row: dict[str, Any]) -> tuple[Any, ...]:
    nulls_first = [(row[name] is not None, row[name] or 0) for name in ("log_partition", "log_offset")]
    return (row["received_at_ms"], *nulls_first, row["collector_id"], row["seq"])
