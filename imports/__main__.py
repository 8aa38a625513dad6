"""``jishi import`` (``python -m imports``): bring history, rates and spend from elsewhere into bronze."""

from __future__ import annotations

import sys
import time
from functools import partial
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from imports import import_commands
from imports import rates as rate_commands
from imports import spend as spend_commands
from imports.bronze import LineCounts
from imports.history import check_history, history_shops, land_history
from imports.import_commands import valid_shop_id
from jishi.command_line import run_command
from jishi.lake.release import REFUSED
from jishi.landing import LandingError, write_landing
from jishi.paths import Paths
from jishi.settings import get_settings
from jishi.shop_runs import BadRunId, ShopRuns, for_each
from jishi.text_tables import TextTable, text_console

app = typer.Typer(add_completion=False, no_args_is_help=True, help=__doc__, pretty_exceptions_enable=False)
console = text_console()


@app.command()
def journey(
    shop: Annotated[str, typer.Option(help="shop id that the data set becomes")] = "journey",
    limit_households: Annotated[int | None, typer.Option(min=1, help="only that many households (for trials)")] = None,
) -> None:
    """Complete Journey (real purchases of 2017) → landing files."""
    from imports.journey import SHOP, SOURCE, journey_lines, load_journey

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
app.command("rates")(rate_commands.rates)
app.command("spend")(spend_commands.spend)


@app.command()
def history(
    shop: Annotated[
        list[str] | None, typer.Option(help="shop id; repeat for more; all that have landing files if left out")
    ] = None,
    processes: Annotated[int, typer.Option(min=1, help="processes that check events")] = 2,
    run: Annotated[str | None, typer.Option(help="ID[@SERIES] of a run, to take up only shops that it has not done")] = None,
) -> None:
    """Landing files → ``bronze/history``; registers the shops. A shop whose files are not right is named and left out.

    Exit code 3 when some shops failed, 1 when all did.
    """
    started, paths = time.monotonic(), Paths.of(get_settings())
    runs = ShopRuns(paths, "history", run)
    pending, result = runs.plan(shop or history_shops(paths))
    checked = for_each(pending, partial(check_history, paths), ShopRuns(paths, "history", None), failures=(LandingError,))
    if ready := [each.shop_id for each in checked.shops if each.state == "done"]:
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        with Progress(*columns, console=console, transient=True) as bar:
            shown = bar.add_task("landing", total=None)
            counts = land_history(
                get_settings(),
                ready,
                processes=processes,
                progress=lambda done, total: bar.update(shown, completed=done, total=total),
            )
        console.print(_counts_table(counts, f"bronze/history, {time.monotonic() - started:.1f} s"))
        for shop_id, of_shop in counts.items():
            if of_shop.outdated_repairs:
                console.print(
                    f"{shop_id}: {of_shop.outdated_repairs} repairs were of lines that are others now, and are gone; see: "
                    f"jishi quarantine list --shop {shop_id}",
                    soft_wrap=True,
                )
    for each in checked.shops:
        runs.record(each)
        result.shops.append(each)
    result.show(console)
    raise typer.Exit(result.exit_code)


def _counts_table(counts: dict[str, LineCounts], title: str) -> TextTable:
    table = TextTable("shop", title=title)
    for column in ("lines", "good", "invalid"):
        table.add_column(column, justify="right")
    table.add_column("reasons", overflow="fold")
    for shop_id, shop_counts in counts.items():
        reasons = ", ".join(f"{reason} {number:,}" for reason, number in sorted(shop_counts.invalid.items()))
        table.add_row(
            shop_id, f"{shop_counts.lines:,}", f"{shop_counts.good:,}", f"{shop_counts.lines - shop_counts.good:,}", reasons
        )
    return table


def main() -> int:
    """Run the command; a user's error is one sentence and exit code 2."""
    return run_command(partial(app, prog_name="jishi import"), (LandingError, BadRunId, *REFUSED))


if __name__ == "__main__":
    sys.exit(main())
