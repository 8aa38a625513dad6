"""``python -m simulator --shop ID … (--out DIR | --to URL …)``: a shop's history as files, or its live traffic."""

from __future__ import annotations

import gc
import json
import secrets
import sys
import time
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from pydantic import TypeAdapter, ValidationError
from rich.progress import track

from jishi.command_line import KEY_VARIABLE, run_command
from jishi.contract.fields import ShopId
from jishi.files import write_json
from jishi.paths import Paths
from jishi.settings import get_settings
from jishi.shops import yesterday
from jishi.text_tables import TextTable, text_console
from simulator.history import SPEND, TRUTH, simulate
from simulator.live import LiveError, Report, post_live
from simulator.presets import preset_of
from simulator.wandering import Process
from simulator.world import SimulationPlan

console = text_console()


class UsageError(ValueError):
    """Options that do not go together or do not make sense."""


def run(
    shop: Annotated[str, typer.Option(help="shop id: lanting, shanhai, xinghe, or any other (a generic shop)")],
    users: Annotated[int, typer.Option(min=10, help="number of shoppers")] = 2000,
    days: Annotated[int, typer.Option(min=1, help="days of history")] = 60,
    seed: Annotated[int, typer.Option(min=0, help="the same seed and days give the same bytes")] = 7,
    until: Annotated[str | None, typer.Option(help="last day, YYYY-MM-DD, in the shop's time zone; default: yesterday")] = None,
    start: Annotated[str | None, typer.Option(help="first day, in the place of --until")] = None,
    out: Annotated[Path | None, typer.Option(help="write DIR/<shop>/ and DIR/truth/<shop>/")] = None,
    to: Annotated[str | None, typer.Option(help="post live events to this collector, such as http://127.0.0.1:18080")] = None,
    key: Annotated[str | None, typer.Option(envvar=KEY_VARIABLE, help="write key; else the one that jishi itself made")] = None,
    rate: Annotated[float, typer.Option(min=0.1, help="live events a second")] = 50.0,
    seconds: Annotated[float, typer.Option(min=0.1, help="how long to post live events")] = 30.0,
    report: Annotated[Path | None, typer.Option(help="write what was posted as JSON")] = None,
    run_id: Annotated[str | None, typer.Option("--run", help="names the live run's ids and draws; random if left out")] = None,
    process: Annotated[
        Process, typer.Option(help="steady, or wandering: things run out one by one and tastes move")
    ] = "steady",
    processes: Annotated[int, typer.Option(min=1, help="processes that play days; the result does not depend on it")] = 1,
) -> None:
    """Simulate one shop."""
    first = _first_day(shop, days, until, start, datetime.now(UTC))
    plan = SimulationPlan(_shop_id(shop), users, days, seed, first, process)
    if (out is None) == (to is None):
        raise UsageError("say either --out DIR (history files) or --to URL (live events)")
    if out is not None:
        _write_history(plan, out, processes)
    elif to is not None:
        outcome = post_live(
            plan,
            to,
            key or _shop_write_key(plan.shop_id),
            rate=rate,
            seconds=seconds,
            run_id=run_id or secrets.token_hex(4),
            progress=lambda batches: track(batches, description=f"{shop}: posting", console=console, transient=True),
        )
        console.print(_report_table(outcome))
        if report is not None:
            write_json(report, outcome.as_json())
        if outcome.failed:
            raise LiveError(f"{outcome.failed} events were not acknowledged; {outcome.last_error}")


def _write_history(plan: SimulationPlan, out: Path, processes: int) -> None:
    if plan.shop_id in (TRUTH, SPEND):
        raise UsageError(f"--shop: {plan.shop_id!r} is a folder beside the shops'; choose another id")
    started = time.monotonic()
    gc.disable()  # acts and lines form no cycles; the search for them takes a tenth of the time and finds nothing
    truth = simulate(plan, out, processes=processes)
    planted = ", ".join(f"{truth.planted[kind]} {kind}" for kind in ("late", "duplicate", "future", "invalid"))
    console.print(
        f"{plan.shop_id}: {truth.deliveries:,} events ({truth.types['order_paid']:,} orders; planted: {planted}) "
        f"→ {out / plan.shop_id} in {time.monotonic() - started:.1f} s",
        highlight=False,
        soft_wrap=True,
    )


def _report_table(report: Report) -> TextTable:
    table = TextTable(
        "what", "events", title=f"live traffic of {report.shop_id}, run {report.run_id}, {report.elapsed_s:.1f} s"
    )
    for name, number in report.rows():
        table.add_row(name, f"{number:,}")
    table.columns[1].justify = "right"
    return table


def _shop_write_key(shop_id: str) -> str:
    file = Paths.of(get_settings()).client_keys_file
    try:
        return str(json.loads(file.read_text(encoding="utf-8"))[shop_id]["write"])
    except (FileNotFoundError, KeyError):
        raise UsageError(f"no write key of shop {shop_id!r} in {file}; give one as {KEY_VARIABLE}") from None


def _shop_id(text: str) -> str:
    try:
        return TypeAdapter(ShopId).validate_python(text)
    except ValidationError:
        raise UsageError(f"--shop: {text!r} is not a shop id; use lower-case letters, digits, - and _") from None


def _first_day(shop: str, days: int, until: str | None, start: str | None, now: datetime) -> date:
    """The first day, from the last one where that is given; without either the last day is yesterday at the shop's place."""
    if start is not None and until is not None:
        raise UsageError("--start and --until: give one of both; --days says how far apart they are")
    if start is not None:
        return _date("--start", start)
    last = _date("--until", until) if until is not None else yesterday(preset_of(shop).time_zone, now)
    return last - timedelta(days=days - 1)


def _date(option: str, text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise UsageError(f"{option}: {text!r} is not a date; write YYYY-MM-DD") from None


def main() -> int:
    """Run the command; a user's error is one sentence and exit code 2."""
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command(help=__doc__)(run)
    return run_command(partial(app, prog_name="jishi simulate"), (UsageError, LiveError))


if __name__ == "__main__":
    sys.exit(main())
