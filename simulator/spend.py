"""What the shop pays its channels for visits: a merchant's file of spend, as advertising systems export it."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

from jishi.money import CURRENCY_DIGITS
from simulator.linkable import PlayedVisit
from simulator.seeds import stream
from simulator.world import World

_CLICKED = 0.6  # of the visits of a paid channel come by an advertisement
_PRICE_SPREAD = 0.2
_SEEN_PER_CLICK = 40


class ChannelSpend(NamedTuple):
    """A day of a channel; ``amount`` is in whole units of the shop's currency."""

    date: date
    channel: str
    amount: int
    clicks: int
    impressions: int


def spend_of(world: World, visits: Iterable[PlayedVisit]) -> list[ChannelSpend]:
    """Days of the paid channels by the visits that came by them: a part are clicks, at a price that varies from day to day.

    Who pays for clicks pays for these visits whether they buy or not, so that channels differ in what they return.
    """
    zone, plan, preset = ZoneInfo(world.preset.time_zone), world.plan, world.preset
    came = Counter(
        (datetime.fromtimestamp(visit.first_ms / 1000, UTC).astimezone(zone).date(), visit.channel)
        for visit in visits
        if visit.channel in preset.click_price_minor
    )
    unit = 10 ** CURRENCY_DIGITS[preset.currency]
    rows = []
    for (day, channel), count in sorted(came.items()):
        luck = stream(plan.seed, plan.shop_id, "spend", channel, (day - plan.start).days)
        clicks = int(luck.binomial(count, _CLICKED))
        price = preset.click_price_minor[channel] * (1 + _PRICE_SPREAD * (2 * luck.random() - 1))
        rows.append(
            ChannelSpend(day, channel, round(clicks * price / unit), clicks, int(luck.poisson(clicks * _SEEN_PER_CLICK)))
        )
    return rows


def write_spend(file: Path, rows: Iterable[ChannelSpend]) -> None:
    """CSV with a heading, in the names that ``jishi import spend`` knows without a mapping."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w", encoding="utf-8", newline="") as written:
        writer = csv.writer(written)
        writer.writerow(ChannelSpend._fields)
        writer.writerows(rows)
