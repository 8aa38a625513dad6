"""``python -m collector.landing journey|events|orders|items|history|live|repair``: bring events from elsewhere into bronze."""

from __future__ import annotations

import sys
import time
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated

import orjson
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from collector.landing import import_commands
from collector.landing.bronze import LineCounts
from collector.landing.history import land_history
from collector.landing.import_commands import valid_shop_id
from jishi.landing import LandingError, write_landing
from jishi.paths import Paths
from jishi.repair import MappingError, load_mapping
from jishi.settings import get_settings

app = typer.Typer(add_completion=False, no_args_is_help=True, help=__doc__, pretty_exceptions_enable=False)
console = Console()


@app.command()
def journey(
    shop: Annotated[str, typer.Option(help="shop id that the data set becomes")] = "journey",
    limit_households: Annotated[int | None, typer.Option(min=1, help="only that many households (for trials)")] = None,
) -> None:
    """Complete Journey (real purchases of 2017) → landing files."""
    from collector.landing.journey import SHOP, SOURCE, journey_lines, load_journey

    started = time.monotonic()
    root = Paths.of(get_settings()).history
    data = load_journey(limit_households)
    with write_landing(root, valid_shop_id(shop), SHOP, SOURCE) as writer:
        writer.write(journey_lines(data, shop))
    orders = data.transactions["basket_id"].nunique()
    console.print(
        f"{shop}: {writer.lines:,} events ({orders:,} orders with {len(data.transactions):,} lines, "
        f"{len(data.products):,} items, {len(data.redemptions):,} redemptions) "
        f"→ {root / shop} in {time.monotonic() - started:.1f} s",
        highlight=False,
        soft_wrap=True,
    )


app.command("events")(import_commands.events)
app.command("orders")(import_commands.orders)
app.command("items")(import_commands.items)


@app.command()
def history(
    shop: Annotated[
        list[str] | None, typer.Option(help="shop id; repeat for more; all that have landing files if left out")
    ] = None,
    processes: Annotated[int, typer.Option(min=1, help="processes that check events")] = 2,
) -> None:
    """Landing files → bronze batch ``history``; registers the shops."""
    started = time.monotonic()
    columns = (TextColumn("[progress.description]{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        shown = bar.add_task("landing", total=None)
        counts = land_history(
            Paths.of(get_settings()),
            shop or (),
            processes=processes,
            progress=lambda done, total: bar.update(shown, completed=done, total=total),
        )
    console.print(_counts_table(counts, f"bronze batch history, {time.monotonic() - started:.1f} s"))


@app.command()
def live(
    day: Annotated[str, typer.Option("--date", help="UTC date of received_at, YYYY-MM-DD")],
) -> None:
    """The stream job's archive of one day → bronze batch ``live-<date>`` of each shop that has events on it."""
    from collector.landing.live import land_live

    try:
        on = date.fromisoformat(day)
    except ValueError:
        raise LandingError(f"--date: {day!r} is not a date; write YYYY-MM-DD") from None
    paths = Paths.of(get_settings())
    landed = land_live(paths, on)
    if not landed:
        console.print(f"no event was received on {on.isoformat()} (UTC) in {paths.live}; nothing to land", soft_wrap=True)
        return
    fates = sorted({fate for counts in landed.values() for fate in counts})
    table = Table(title=f"bronze batch live-{on.isoformat()}")
    for column in ("shop", "events", *fates):
        table.add_column(column, justify="left" if column == "shop" else "right")
    for shop_id, counts in landed.items():
        table.add_row(shop_id, f"{sum(counts.values()):,}", *(f"{counts.get(fate, 0):,}" for fate in fates))
    console.print(table)


@app.command()
def repair(
    map_file: Annotated[Path, typer.Argument(help="mapping (YAML or JSON), see docs/quarantine.md")],
    shop: Annotated[str | None, typer.Option(help="only this shop")] = None,
    trial: Annotated[bool, typer.Option("--trial", help="write nothing")] = False,
) -> None:
    """Quarantined events, through a mapping → bronze/repairs; prints counts and the batches to build anew as JSON."""
    from collector.landing.repairs import replay

    settings = get_settings()
    try:
        replayed = replay(
            Paths.of(settings),
            load_mapping(map_file),
            now=datetime.now(UTC),
            future_tolerance_s=settings.future_tolerance_s,
            shop=None if shop is None else valid_shop_id(shop),
            is_trial=trial,
        )
    except MappingError as error:
        raise LandingError(str(error)) from None
    print(orjson.dumps(replayed).decode())


def _counts_table(counts: dict[str, LineCounts], title: str) -> Table:
    table = Table("shop", title=title)
    for column in ("lines", "good", "invalid"):
        table.add_column(column, justify="right")
    table.add_column("reasons", overflow="fold")
    for shop_id, found in counts.items():
        reasons = ", ".join(f"{reason} {number:,}" for reason, number in sorted(found.invalid.items()))
        table.add_row(shop_id, f"{found.lines:,}", f"{found.good:,}", f"{found.lines - found.good:,}", reasons)
    return table


def main() -> int:
    """Run the command; a user's error is one sentence and exit code 2."""
    try:
        app(standalone_mode=True)
    except LandingError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        print(
            f"error: {error.filename or 'the disk'}: {error.strerror}; what was published before is untouched", file=sys.stderr
        )
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
