"""``jishi drift`` and ``jishi backtest``: how the week differs from the one before, and whether forecasts came true."""

from __future__ import annotations

import sys
from collections import defaultdict
from datetime import datetime
from typing import Annotated

import typer
from rich.console import Console

from jishi.lake import TableNotPublished
from jishi.lake.reading import open_version
from jishi.settings import get_settings
from jishi.text_tables import TextTable, text_console
from ops.cli.operators import send_to_operators

Day = Annotated[datetime, typer.Option("--date", formats=["%Y-%m-%d"], help="a day of the week; weeks begin on Monday")]
Shop = Annotated[list[str] | None, typer.Option(help="only this shop; may repeat")]
Sends = Annotated[bool, typer.Option("--tell", help="send what is beyond the bounds to the operators")]


def drift(day: Day, shop: Shop = None, sends: Sends = False) -> None:
    """Population stability indices of event mix and daily features, this week against the one before, for each shop."""
    from quality.drift import MUCH, drifts, week_of

    monday = week_of(day.date())
    measured = drifts(open_version(get_settings()), day.date(), shop or ())
    table = TextTable("shop", "what", "PSI", "rows before", "rows", title=f"the week from {monday} against the one before")
    for each in measured:
        numbers = (f"{each.psi:.3f}", f"{each.rows_before:,}", f"{each.rows:,}")
        table.add_row(each.shop_id, each.subject, *numbers, style="red" if each.is_much else "")
    _console().print(table)
    much: dict[str, list[str]] = defaultdict(list)
    for each in measured:
        if each.is_much:
            much[each.shop_id].append(f"{each.subject} (PSI {each.psi:.2f})")
    texts = {
        shop_id: f"in the week from {monday} these differ from the week before by a PSI above {MUCH}: {', '.join(names)}. "
        "Somebody should know why: a sale, another storefront, a fault of what sends?"
        for shop_id, names in much.items()
    }
    _end("drift", texts, sends=sends)


def backtest(shop: Shop = None, sends: Sends = False) -> None:
    """Forecasts of repeat purchases, made as of an earlier day, against what customers then bought."""
    from quality.backtest import FACTOR, backtest

    try:
        results = backtest(open_version(get_settings()), shop or ())
    except TableNotPublished as error:
        print(f"backtest: {error.args[0]}", file=sys.stderr)
        raise typer.Exit(99) from None  # Airflow takes this exit code for "skip"
    headings = ("shop", "as of", "days", "customers", "expected", "happened", "groups in their interval")
    table = TextTable(*headings, title="forecasts")
    for each in results:
        numbers = (f"{each.held_out_days}", f"{each.customers:,}", f"{each.expected:,.1f}", f"{each.actual:,.0f}")
        within = f"{each.groups_within} of {each.groups}"
        table.add_row(each.shop_id, str(each.cut_date), *numbers, within, style="red" if each.is_off else "")
    _console().print(table)
    texts = {
        each.shop_id: f"{each.expected:,.0f} repeat purchases were forecast for the {each.held_out_days} days after "
        f"{each.cut_date} and {each.actual:,.0f} happened, more than {FACTOR} times off: do not plan with the shop's forecast"
        for each in results
        if each.is_off
    }
    _end("backtest", texts, sends=sends)


def _end(command: str, texts: dict[str, str], *, sends: bool) -> None:
    """Print what is beyond the bounds; exit 1 when a receiver did not take it."""
    for shop_id, text in texts.items():
        print(f"{shop_id}: {text}", flush=True)
    if not texts:
        print("nothing is beyond its bounds")
    if sends:
        unheard = [s for s, text in texts.items() if not send_to_operators(f"{command}.{s}", f"{command}: shop {s}", text)]
        raise typer.Exit(1 if unheard else 0)


def _console() -> Console:
    return text_console()
