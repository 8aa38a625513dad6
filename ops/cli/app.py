"""The commands of ``jishi``. Commands of a part run that part's own entry point and pass its arguments through."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import Annotated
from urllib.request import getproxies

import typer
from rich.text import Text

from jishi.paths import Paths
from jishi.settings import get_settings
from jishi.shops import yesterday
from jishi.text_tables import TextTable, text_console
from ops.cli import (
    backfill,
    backup,
    bench,
    bots,
    catalogue,
    complete,
    decisions,
    evaluate,
    features,
    gates,
    identity,
    imports,
    keys,
    lake,
    lineage,
    metrics,
    models,
    notebook,
    quarantine,
    recommend,
    report,
    retain,
    rules,
    settings_list,
    shops,
    sql,
    upgrade,
    watch,
    week,
)
from ops.cli.handover import PASS_THROUGH, hand_over
from ops.demo.options import TIME_ZONE, DemoFailed, DemoOptions
from ops.proxies import direct_hosts

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Jishi: live features, numbers merchants can trust, recommendations that can be proved.",
)
console = text_console()


@app.callback()
def _ask_the_platform_directly() -> None:
    if getproxies():
        os.environ.update(direct_hosts(get_settings()))


app.add_typer(decisions.app, name="decisions")
app.add_typer(evaluate.app, name="evaluate")
app.add_typer(keys.app, name="keys")
app.add_typer(shops.app, name="shops")
app.add_typer(rules.app, name="rules")
app.add_typer(quarantine.app, name="quarantine")
app.add_typer(features.app, name="features")
app.add_typer(gates.app, name="gates")
app.add_typer(identity.app, name="identity")
app.add_typer(lake.app, name="lake")
app.add_typer(metrics.app, name="metrics")
app.add_typer(models.app, name="models")
app.add_typer(notebook.app, name="notebook")
app.command("recommend")(recommend.recommend)
app.command("catalogue")(catalogue.catalogue)
app.command("backtest")(week.backtest)
app.command("drift")(week.drift)
app.command("backfill")(backfill.backfill)
app.command("bots")(bots.bots)
app.command("complete")(complete.complete)
app.command("lineage")(lineage.lineage)
app.command("report")(report.report)
app.command("settings")(settings_list.settings)
app.command("sql")(sql.sql)
app.command("watch")(watch.watch)
app.command("retain")(retain.retain)
app.command("backup")(backup.backup)
app.command("restore")(backup.restore)
app.command("upgrade")(upgrade.upgrade)


@app.command(context_settings=PASS_THROUGH)
def simulate(context: typer.Context) -> None:
    """Make a simulated shop's history, or post its live traffic (--help lists the options)."""
    hand_over("simulator", context.args, folder=None)


app.command("import", context_settings=PASS_THROUGH)(imports.import_)


@app.command(context_settings=PASS_THROUGH)
def send(context: typer.Context) -> None:
    """Post a file of events to the collector (--help lists the options)."""
    hand_over("collector", ["send", *context.args], folder=None)


app.command(context_settings=PASS_THROUGH)(bench.bench)


@app.command(context_settings=PASS_THROUGH)
def portal(context: typer.Context) -> None:
    """The merchant's portal: let people in (users add), or serve it alone (--help lists the commands)."""
    hand_over("dashboard.portal", context.args, folder=None)


@app.command(context_settings=PASS_THROUGH)
def alerts(context: typer.Context) -> None:
    """Hold shops' rules against their newest days, and tell what is unusual: alerts check (--help lists the options)."""
    hand_over("dashboard.portal.alerts", context.args, folder=None)


@app.command(context_settings=PASS_THROUGH)
def digest(context: typer.Context) -> None:
    """Write a shop's week as a page, and with --send mail and post it (--help lists the options)."""
    hand_over("dashboard.digest", context.args, folder=None)


@app.command()
def up() -> None:
    """Start the platform and wait until every part is healthy."""
    from jishi.java import JavaMissing
    from ops.formats import WrongFormat
    from ops.lifecycle import PlatformError
    from ops.lifecycle import up as bring_up
    from ops.state import NotOurState
    from ops.supervisor import SupervisorError

    try:
        bring_up(get_settings(), lambda line: console.print(f"  {line}", highlight=False))
    except (PlatformError, SupervisorError, JavaMissing, NotOurState, WrongFormat) as error:
        console.print(f"[red]{error}[/]", highlight=False)
        raise typer.Exit(1) from None


@app.command()
def down() -> None:
    """Stop every process of the platform, also after its supervisor was killed."""
    from ops.lifecycle import down as take_down

    count = take_down(get_settings(), lambda line: console.print(f"  {line}", highlight=False))
    console.print(f"stopped {count} processes" if count else "nothing was running")


@app.command()
def status() -> None:
    """Show each part, its health and its address; exit 1 when one is not healthy."""
    from ops.health import platform_health
    from ops.parts import parts

    settings = get_settings()
    paths = Paths.of(settings)
    healths = platform_health(parts(settings, paths), settings, paths)
    table = TextTable()
    for heading in ("part", "process", "health", "what it says", "address"):
        table.add_column(heading, overflow="fold")
    for health in healths:
        word = Text("healthy", "green") if health.is_healthy else Text("not healthy", "red")
        table.add_row(health.name, health.state.lower(), word, health.message, health.url)
    console.print(table)
    raise typer.Exit(0 if all(health.is_healthy for health in healths) else 1)


@app.command()
def demo(
    shops: Annotated[str, typer.Option(help="shops to load, comma separated")] = ",".join(DemoOptions.shops),
    days: Annotated[int, typer.Option(min=2, help="days of simulated history")] = DemoOptions.days,
    users: Annotated[int, typer.Option(min=10, help="shoppers of each simulated shop")] = DemoOptions.users,
    seed: Annotated[int, typer.Option(help="seed of the simulated shops; same seed, same tables")] = DemoOptions.seed,
    until: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="last day of simulated history; default: yesterday. Same day, same tables"),
    ] = None,
    keep: Annotated[bool, typer.Option("--keep", help="go on with the state that is there")] = False,
    stop_after: Annotated[str | None, typer.Option(help="stop after this step; the platform stays up")] = None,
    journey_households: Annotated[int | None, typer.Option(min=1, help="load only so many households of journey")] = None,
) -> None:
    """Set up everything needed and run the main job from an empty state; leaves the platform running."""
    from ops.demo.run import run_demo

    newest = yesterday(TIME_ZONE, datetime.now(UTC))
    last = until.date() if until is not None else newest
    if last > newest:
        raise typer.BadParameter(f"{last} is not over; history ends on {newest} or before", param_hint="--until")
    try:
        options = DemoOptions(
            until=last,
            shops=tuple(shop.strip() for shop in shops.split(",") if shop.strip()),
            users=users,
            days=days,
            seed=seed,
            keep=keep,
            stop_after=stop_after,
            journey_households=journey_households,
        )
    except DemoFailed as error:
        raise typer.BadParameter(str(error)) from None
    raise typer.Exit(run_demo(options, get_settings(), console))


@app.command()
def reconcile(
    as_json: Annotated[bool, typer.Option("--json", help="print the counts as JSON")] = False,
    date: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="one UTC day, by ids; names what is missing")
    ] = None,
    shop: Annotated[list[str] | None, typer.Option(help="with --date: look for this shop's events; may repeat")] = None,
) -> None:
    """Compare what was acknowledged with what lies in the tables, per shop; exit 1 on any difference."""
    from quality.night import run_reconcile_night
    from quality.reconcile import run_reconcile

    if date is not None:
        raise typer.Exit(run_reconcile_night(get_settings(), date.date(), shop or (), as_json=as_json))
    if shop:
        raise typer.BadParameter("name the day too, or leave it out: the counts show every shop", param_hint="--shop")
    raise typer.Exit(run_reconcile(as_json=as_json))


@app.command()
def doctor() -> None:
    """Look for what is missing or wrong on this machine and say what to do; exit 1 when something is."""
    from ops.doctor import examine

    findings = examine(get_settings())
    for finding in findings:
        mark = "[green]✓[/]" if finding.is_fine else "[red]✗[/]"
        console.print(f"{mark} {finding.what}: {finding.detail}", highlight=False)
    raise typer.Exit(0 if all(finding.is_fine for finding in findings) else 1)
