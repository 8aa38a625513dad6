"""``import spend``: what a shop spent on channels and campaigns → ``bronze/spend``.

A row of the file is restated by a later one of the same date, channel and campaign, so the same file may be imported again and
a corrected one takes its place; other dates stay. The marts of the next build convert it at the rate of its date.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer
from rich.console import Console

from imports.order_mapping import PRESETS, load_export_mapping
from imports.preview import SHOWN, SHOWN_REFUSALS, RefusedRow, Totals, preview_json
from imports.spend_rows import Rejected, Spend, SpendFile, SpendKey, read_spend
from jishi.arrow_tables import to_arrow
from jishi.lake import TableNotPublished
from jishi.lake.publishing import Replacement, publish, rows_at
from jishi.lake.query import open_lake
from jishi.lake.reading import open_version
from jishi.lake.rows import Rows
from jishi.lake.versions import TableVersion
from jishi.landing import LandingError
from jishi.money import shown
from jishi.paths import Paths
from jishi.settings import Settings, get_settings
from jishi.shops import Shops, UnknownShop
from jishi.tables import BRONZE_SPEND
from jishi.text_tables import TextTable, text_console

SPEND_PRESETS = PRESETS / "spend"
_SHOWN = 20


class ChannelSum(NamedTuple):
    """What a file says was spent on a channel in one currency (minor units), and on how many days between which two."""

    channel: str
    currency: str
    amount_minor: int
    days: int
    first_date: date
    last_date: date


def spend(
    file: Annotated[Path, typer.Argument(help="CSV, Excel or Parquet with date, channel, amount, perhaps campaign, currency")],
    shop: Annotated[str, typer.Option(help="shop id; dates are those of its time zone")],
    map_file: Annotated[Path | None, typer.Option("--map", help="what the columns mean (YAML), see docs/import.md")] = None,
    currency: Annotated[str | None, typer.Option(help="of rows that name none; the shop's own if left out")] = None,
    decimal: Annotated[str | None, typer.Option(help="decimal sign of amounts, . or , where the file tells none")] = None,
    time_format: Annotated[str | None, typer.Option(help="strptime format of dates that are not ISO 8601")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="write nothing; show sums and rejected rows")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="with --dry-run: as JSON")] = False,
) -> None:
    """What a shop spent on channels and campaigns, by date, with clicks and impressions where they are known."""
    settings, console = get_settings(), text_console(soft_wrap=True, highlight=False)
    try:
        known = Shops.load(Paths.of(settings).shops_file).get(shop)
    except UnknownShop as error:
        raise LandingError(f"--shop: {error}") from None
    mapping = load_export_mapping(
        map_file if map_file is not None else "plain",
        {"currency": known.currency, "time_zone": known.time_zone},
        presets=SPEND_PRESETS,
        currency=currency,
        decimal=decimal,
        time_format=time_format,
    )
    read = read_spend(file, mapping)
    doubts = [
        f"no visit came by channel {channel!r}: is it what visits call it (utm_source)?"
        for channel in unvisited(settings, shop, {key.channel for key in read.spend})
    ]
    if dry_run and as_json:
        print(_as_json(read, doubts))
        return
    console.print(_sums(shop, read))
    _show_rejected(console, read.rejected)
    for doubt in doubts:
        console.print(doubt, markup=False)
    if dry_run:
        console.print(f"{shop}: nothing was written")
        return
    restated = publish_spend(settings, shop, read.spend, datetime.fromtimestamp(time.time(), UTC).replace(tzinfo=None))
    console.print(
        f"{shop}: {len(read.spend):,} rows of spend are kept, {restated:,} of them restated. "
        "Marts take them with the next build: the DAG daily, or python -m ops.marts build"
    )


def publish_spend(settings: Settings, shop_id: str, read: dict[SpendKey, Spend], now: datetime) -> int:
    """Restate the shop's spend in the lake in one step; returns how many of the rows were there before."""
    where = Rows.of(shop_id=[shop_id])
    restated = 0

    def build(base: TableVersion | None) -> list[Replacement]:
        nonlocal restated
        before = rows_at(settings, BRONZE_SPEND, base, where).to_pylist()
        kept = [row for row in before if _key_of(row) not in read]
        restated = len(before) - len(kept)
        rows = [*kept, *(_row(shop_id, key, of_key, now) for key, of_key in read.items())]
        rows.sort(key=lambda row: (row["spend_date"], row["channel"], row["campaign"] or ""))
        return [Replacement(BRONZE_SPEND, where, to_arrow(BRONZE_SPEND, rows))]

    publish(settings, "imports spend", build)
    return restated


def unvisited(settings: Settings, shop_id: str, channels: Iterable[str]) -> list[str]:
    """Channels by which no visit of the shop came, as far as silver knows; none before its first build."""
    try:
        with open_lake(open_version(settings)) as connection:
            sql = "select distinct channel from silver_sessions where shop_id = ? and channel is not null"
            seen = {channel for (channel,) in connection.execute(sql, [shop_id]).fetchall()}
    except TableNotPublished:
        return []
    return sorted(set(channels) - seen) if seen else []


def _key_of(row: dict[str, Any]) -> SpendKey:
    return SpendKey(row["spend_date"], row["channel"], row["campaign"])


def _row(shop_id: str, key: SpendKey, of_key: Spend, now: datetime) -> dict[str, Any]:
    return {"shop_id": shop_id, **key._asdict(), **vars(of_key), "loaded_at": now}


def channel_sums(spend: dict[SpendKey, Spend]) -> list[ChannelSum]:
    """The sums of a file by channel and currency, in order."""
    dates: dict[tuple[str, str], set[date]] = {}
    amounts: Counter[tuple[str, str]] = Counter()
    for key, each in spend.items():
        pair = key.channel, each.currency
        dates.setdefault(pair, set()).add(key.spend_date)
        amounts[pair] += each.amount_minor
    return [ChannelSum(*pair, amounts[pair], len(days), min(days), max(days)) for pair, days in sorted(dates.items())]


def _as_json(read: SpendFile, doubts: list[str]) -> str:
    """A dry run for another program: rows that would be kept by channel, the first of them, sums, and what is left out."""
    totals = Totals(
        events=Counter(key.channel for key in read.spend),
        refused=Counter("invalid" for _ in read.rejected),
        first=[
            key._asdict() | {"spend_date": f"{key.spend_date}"} | vars(each) for key, each in list(read.spend.items())[:SHOWN]
        ],
        rows=[RefusedRow(each.file, each.row, "invalid", "", each.problem) for each in read.rejected[:SHOWN_REFUSALS]],
    )
    sums = [
        each._asdict() | {"first_date": f"{each.first_date}", "last_date": f"{each.last_date}"}
        for each in channel_sums(read.spend)
    ]
    return preview_json(totals, doubts, sums)


def _sums(shop_id: str, read: SpendFile) -> TextTable:
    title = f"{shop_id}: {read.rows:,} rows, {len(read.rejected):,} rejected ({read.read_as})"
    table = TextTable("channel", "dates", "spend", title=title, title_justify="left")
    for channel in sorted({key.channel for key in read.spend}):
        of_channel = {key: each for key, each in read.spend.items() if key.channel == channel}
        days = sorted({key.spend_date for key in of_channel})
        amounts = ", ".join(shown(each.amount_minor, each.currency) for each in channel_sums(of_channel))
        table.add_row(channel, f"{len(days)}: {days[0]} – {days[-1]}", amounts)
    return table


def _show_rejected(console: Console, rejected: list[Rejected]) -> None:
    for each in rejected[:_SHOWN]:
        console.print(f"rejected: {each.file} row {each.row}: {each.problem}", markup=False, style="red")
    if len(rejected) > _SHOWN:
        console.print(f"… and {len(rejected) - _SHOWN:,} rows more; mend them and import the file again", style="red")
