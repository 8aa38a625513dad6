"""``import rates``: a shop's exchange rates → ``bronze/fx_rates``, and the file from which events are stamped.

The file has the columns ``date``, ``currency`` and ``rate``: what one unit of the currency is worth in the shop's home currency
from that date on. Rates of a currency and date that are there already are restated; the others stay. An event keeps the rate of
its acceptance; the marts of the next build take the newest.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, date, datetime
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any

import typer

from imports.preview import SHOWN, Totals, preview_json
from imports.table_file import ReadingRules, read_table
from jishi.arrow_tables import to_arrow
from jishi.fx_rates import FxRate, FxRates, parse_rate, plain_text, save_rates, units_and_scale
from jishi.lake.publishing import Replacement, publish, rows_at
from jishi.lake.rows import Rows
from jishi.lake.versions import TableVersion
from jishi.landing import LandingError
from jishi.money import CURRENCY_DIGITS
from jishi.paths import Paths
from jishi.settings import Settings, get_settings
from jishi.shops import Shops, UnknownShop
from jishi.tables import BRONZE_FX_RATES
from jishi.text_tables import TextTable, text_console

_COLUMNS = ("date", "currency", "rate")


def rates(
    file: Annotated[Path, typer.Argument(help="CSV, Excel or Parquet with the columns date, currency, rate")],
    shop: Annotated[str, typer.Option(help="shop id; its home currency is that of the registry")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="write nothing; show what was read")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="with --dry-run: as JSON")] = False,
) -> None:
    """Exchange rates of a shop: what one unit of each currency is worth in the shop's own, by date."""
    settings = get_settings()
    try:
        home_currency = Shops.load(Paths.of(settings).shops_file).get(shop).currency
    except UnknownShop as error:
        raise LandingError(f"--shop: {error}") from None
    read = read_rates(file, home_currency)
    if dry_run:
        _preview(shop, home_currency, read, as_json)
        return
    now = datetime.fromtimestamp(time.time(), UTC).replace(tzinfo=None)
    kept = publish_rates(settings, shop, home_currency, read, now)
    currencies = ", ".join(sorted({rate.currency for rate in read}))
    print(
        f"{shop}: {len(read):,} rates of {currencies} to {home_currency}; {len(list(kept)):,} in all. Events are stamped with"
    )
    print("them from now on; marts take them with the next build: jishi import history, or the DAG daily")
    for earlier, later in leaps(kept):
        print(_doubt(earlier, later))


def _preview(shop_id: str, home_currency: str, read: list[FxRate], as_json: bool) -> None:
    """What the import would do, for people or as JSON."""
    doubts = [_doubt(earlier, later) for earlier, later in leaps(read)]
    if as_json:
        first = [
            {"date": f"{rate.rate_date}", "currency": rate.currency, "rate": plain_text(rate.rate)} for rate in read[:SHOWN]
        ]
        print(preview_json(Totals(events=Counter(rate.currency for rate in read), first=first), doubts))
        return
    console = text_console()
    table = TextTable(title=f"{shop_id}: nothing was written", title_justify="left")
    table.add_column("currency")
    table.add_column("rates", justify="right")
    table.add_column("dates")
    table.add_column(f"lowest, {home_currency}", justify="right")
    table.add_column(f"highest, {home_currency}", justify="right")
    for currency in sorted({rate.currency for rate in read}):
        of_currency = [rate for rate in read if rate.currency == currency]
        days, worth = sorted(rate.rate_date for rate in of_currency), sorted(rate.rate for rate in of_currency)
        lowest, highest = plain_text(worth[0]), plain_text(worth[-1])
        table.add_row(currency, f"{len(of_currency):,}", f"{days[0]} – {days[-1]}", lowest, highest)
    console.print(table)
    for doubt in doubts:
        console.print(doubt, markup=False, highlight=False, soft_wrap=True)


def read_rates(file: Path, home_currency: str) -> list[FxRate]:
    """Rates of a file, one for each currency and date. Raises LandingError that names the row."""
    table = read_table(file, [[name] for name in _COLUMNS], ReadingRules())
    by_key: dict[tuple[str, date], FxRate] = {}
    for number, row in enumerate(table.rows, start=2):
        try:
            if row.problem is not None:
                raise ValueError(row.problem)
            on, currency, rate_text = (row.cells.get(name) or "" for name in _COLUMNS)
            rate = _rate(on, currency, rate_text, home_currency)
            known = by_key.setdefault((rate.currency, rate.rate_date), rate)
            if known.rate != rate.rate:
                raise ValueError(f"{rate.currency} has two rates on {rate.rate_date}; keep one")
        except ValueError as error:
            raise LandingError(f"{file} row {number}: {error}") from None
    if not by_key:
        raise LandingError(f"{file} has no rate; write rows of date, currency, rate")
    return list(by_key.values())


def leaps(rates: Iterable[FxRate]) -> list[tuple[FxRate, FxRate]]:
    """Neighbours in time of which one is worth more than twice the other: a lost digit, or a rate that is turned round."""
    pairs = pairwise(sorted(rates, key=lambda rate: (rate.currency, rate.rate_date)))
    return [(a, b) for a, b in pairs if a.currency == b.currency and max(a.rate, b.rate) > 2 * min(a.rate, b.rate)]


def _doubt(earlier: FxRate, later: FxRate) -> str:
    return (
        f"is that right? {later.currency} is {plain_text(earlier.rate)} on {earlier.rate_date} "
        f"and {plain_text(later.rate)} on {later.rate_date}; import the wrong date again"
    )


def _rate(on: str, currency: str, rate: str, home_currency: str) -> FxRate:
    try:
        rate_date = date.fromisoformat(on[:10] if on[10:] in ("", "T00:00:00") else on)
    except ValueError:
        raise ValueError(f"date: {on!r} is no date; write it as 2026-03-01") from None
    if currency not in CURRENCY_DIGITS:
        raise ValueError(f"currency: {currency!r} is not an ISO 4217 code in capitals, such as USD")
    if currency == home_currency:
        raise ValueError(f"currency: {currency} is the shop's own; leave it out")
    try:
        return FxRate(currency, rate_date, parse_rate(rate))
    except ValueError as error:
        raise ValueError(f"rate: {error}") from None


def publish_rates(settings: Settings, shop_id: str, home_currency: str, read: Iterable[FxRate], now: datetime) -> FxRates:
    """Restate the shop's rates in the lake, then in its file; returns all that it has now to its home currency."""
    new = {(rate.currency, rate.rate_date): rate for rate in read}
    where = Rows.of(shop_id=[shop_id])
    published: list[dict[str, Any]] = []

    def build(base: TableVersion | None) -> list[Replacement]:
        before = rows_at(settings, BRONZE_FX_RATES, base, where).to_pylist()
        kept = [
            row for row in before if row["home_currency"] != home_currency or (row["currency"], row["rate_date"]) not in new
        ]
        published[:] = [*kept, *(_row(shop_id, home_currency, rate, now) for rate in new.values())]
        published.sort(key=lambda row: (row["home_currency"], row["currency"], row["rate_date"]))
        return [Replacement(BRONZE_FX_RATES, where, to_arrow(BRONZE_FX_RATES, published))]

    publish(settings, "imports rates", build)
    of_home = [row for row in published if row["home_currency"] == home_currency]
    rates = FxRates.of(home_currency, (FxRate(row["currency"], row["rate_date"], parse_rate(row["rate"])) for row in of_home))
    save_rates(Paths.of(settings).fx_rates, shop_id, rates)
    return rates


def _row(shop_id: str, home_currency: str, rate: FxRate, now: datetime) -> dict[str, Any]:
    units, scale = units_and_scale(rate.rate)
    return {
        "shop_id": shop_id,
        "home_currency": home_currency,
        "currency": rate.currency,
        "rate_date": rate.rate_date,
        "rate": plain_text(rate.rate),
        "rate_units": units,
        "rate_scale": scale,
        "loaded_at": now,
    }
