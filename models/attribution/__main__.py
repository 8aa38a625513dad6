"""``python -m models.attribution``: what the channels of all shops bring, from the newest marts; the next marts show it."""

from __future__ import annotations

import sys
from collections import defaultdict
from typing import Any

import duckdb

from jishi.arrow_tables import to_arrow
from jishi.lake import TableNotPublished
from jishi.lake.publishing import Replacement, publish, rows_at
from jishi.lake.reading import LakeVersion, open_version
from jishi.lake.release import REFUSED
from jishi.lake.rows import Rows
from jishi.lake.versions import Versions
from jishi.marts import mart_rows
from jishi.settings import Settings, get_settings
from jishi.tables import CHANNEL_EFFECTS
from models.attribution.effects import TooFewJourneys, channel_effects
from models.attribution.journeys import VisitJourney

NOTHING_TO_DO = 99
_JOURNEYS = """
with journeys as (
    select shop_id, journey_key, list(channel order by touch_number) as channels, bool_or(led_to_order) as led_to_order
    from fct_journey_touches
    group by shop_id, journey_key
)
select shop_id, channels, led_to_order, count(*) as number
from journeys
group by all
order by all
"""
_LAST_DAYS = "select shop_id, max(shop_date) as last_day from fct_shop_days group by shop_id"


def fit(lake: LakeVersion) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """Rows of the effects, and for each shop what was fitted or why not. Raises TableNotPublished."""
    journeys: dict[str, list[VisitJourney]] = defaultdict(list)
    try:
        rows_of_journeys = mart_rows(lake, _JOURNEYS)
    except duckdb.CatalogException:
        raise TableNotPublished("the marts are of an earlier release; run: python -m ops.marts build") from None
    for row in rows_of_journeys:
        journeys[row["shop_id"]].append(VisitJourney(tuple(row["channels"]), row["led_to_order"], row["number"]))
    last_days = {row["shop_id"]: row["last_day"] for row in mart_rows(lake, _LAST_DAYS)}
    effects: list[dict[str, Any]] = []
    outcomes = {}
    for shop_id, of_shop in journeys.items():
        try:
            rows = channel_effects(shop_id, of_shop, last_days[shop_id])
        except TooFewJourneys as error:
            outcomes[shop_id] = f"no fit: {error}"
            continue
        effects += rows
        outcomes[shop_id] = f"{len({row['channel'] for row in rows})} channels"
    return effects, outcomes


def publish_effects(settings: Settings) -> dict[str, str]:
    """Publish the effects, unless they are as published; returns each shop's outcome."""
    rows, outcomes = fit(open_version(settings))
    fitted, key = to_arrow(CHANNEL_EFFECTS, rows), [(name, "ascending") for name in CHANNEL_EFFECTS.key]
    published = rows_at(settings, CHANNEL_EFFECTS, Versions.of(settings).latest(), Rows.all())
    if published.sort_by(key) != fitted.sort_by(key):
        publish(settings, "models.attribution", lambda base: [Replacement(CHANNEL_EFFECTS, Rows.all(), fitted)])
    return outcomes


def main() -> int:
    """Print one line a shop. Exit code 1 when nothing could be published; the message says why."""
    try:
        outcomes = publish_effects(get_settings())
    except TableNotPublished as error:
        print(f"models.attribution: {error.args[0]}", file=sys.stderr)
        return NOTHING_TO_DO
    except REFUSED as error:
        print(f"models.attribution: {error}", file=sys.stderr)
        return 1
    for shop_id, outcome in outcomes.items():
        print(f"{shop_id}: channels: {outcome}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
