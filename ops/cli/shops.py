"""``jishi shops``: new ones, who is registered, and what is set for each; what became of each in a run of a pipeline.

A running collector follows a change at its next request, a pipeline at its next run.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError

from jishi.contract.sender import OrderSource
from jishi.customer_rules import CustomerRules
from jishi.funnel_rules import FunnelRules
from jishi.item_thresholds import ItemThresholds
from jishi.lake.buckets import by_bucket
from jishi.landing import landed_shops
from jishi.paths import Paths
from jishi.quiet_hours import QuietHours
from jishi.settings import get_settings
from jishi.shop_runs import forget_runs, read_run
from jishi.shops import MOST_TRIALS, ModelsFrom, Shops, UnknownShop, in_groups
from ops.cli import create_shop, shop_states

_HELP = "Shops of this platform and their limits."
app = typer.Typer(no_args_is_help=True, help=_HELP)


@app.callback(help=_HELP)
def shops() -> None:
    """Group of the commands on shops."""


app.command("create")(create_shop.create)
app.command("pause")(shop_states.pause)
app.command("resume")(shop_states.resume)
app.command("export")(shop_states.export)
app.command("leave")(shop_states.leave)


@app.command("list")
def list_() -> None:
    """List shops: name, state, time zone, currency, limit, where models come from, keys by right."""
    from jishi.text_tables import TextTable, text_console

    settings = get_settings()
    table = TextTable("shop", "name", "state", "time zone", "currency", "events a second", "models from", "keys")
    for shop in Shops.load(Paths.of(settings).shops_file).shops.values():
        limit = f"{shop.events_per_s:,}" if shop.events_per_s else f"{settings.collector_events_per_s:,} (common)"
        rights = Counter(key.right + (" test" if key.is_test else "") for key in shop.keys)
        keys = ", ".join(f"{count} {right}" for right, count in sorted(rights.items()))
        state = shop.state if shop.state_since is None else f"{shop.state} since {shop.state_since:%Y-%m-%d}"
        table.add_row(shop.shop_id, shop.name, state, shop.time_zone, shop.currency, limit, shop.models_from, keys)
    text_console().print(table)


@app.command()
def limit(
    shop_id: Annotated[str, typer.Argument(help="shop that the limit is for")],
    events_per_s: Annotated[int | None, typer.Option(min=1, help="events a second; left out: the common limit again")] = None,
) -> None:
    """Set how many events a second the collector takes from a shop before it answers 429."""
    try:
        with Shops.edit(Paths.of(get_settings()).shops_file) as registry:
            registry.limit(shop_id, events_per_s)
    except UnknownShop as error:
        raise typer.BadParameter(str(error), param_hint="SHOP_ID") from None
    print(f"{shop_id}: {events_per_s} events a second" if events_per_s else f"{shop_id}: the common limit")


@app.command()
def trials(
    shop_id: Annotated[str, typer.Argument(help="shop that the share is for")],
    share: Annotated[
        float | None, typer.Option(min=0, max=MOST_TRIALS, help="of its answers; 0: none; left out: JISHI_LADDER_TRIALS again")
    ] = None,
) -> None:
    """Set on which share of a shop's answers serving tries a lower rung of the ladder, to know what each is worth."""
    try:
        with Shops.edit(Paths.of(get_settings()).shops_file) as registry:
            registry.set_ladder_trials(shop_id, share)
    except UnknownShop as error:
        raise typer.BadParameter(str(error), param_hint="SHOP_ID") from None
    print(f"{shop_id}: the common share" if share is None else f"{shop_id}: a lower rung answers {share:.2%}")


@app.command()
def models(
    shop_id: Annotated[str, typer.Argument(help="shop whose models are meant")],
    models_from: Annotated[ModelsFrom, typer.Argument(help="memory, or tables for a shop whose acts do not fit one machine")],
) -> None:
    """Set where a shop's models come from: trained in memory (DAG daily), or from tables that Spark computes (DAG tables)."""
    try:
        with Shops.edit(Paths.of(get_settings()).shops_file) as registry:
            registry.choose_models(shop_id, models_from)
    except UnknownShop as error:
        raise typer.BadParameter(error.args[0], param_hint="SHOP_ID") from None
    print(f"{shop_id}: models from {models_from}")


@app.command()
def customers(
    shop_id: Annotated[str, typer.Argument(help="shop whose customers are meant")],
    rules: Annotated[Path | None, typer.Option(help="JSON file of rules; what it leaves out is derived or default")] = None,
) -> None:
    """Show, or set from a file, who counts as no customer (guests, staff, distributors), and the thresholds of scores."""
    with _rules_to_change(rules) as registry:
        if rules is not None:
            registry.set_customer_rules(shop_id, CustomerRules.model_validate_json(rules.read_bytes()))
        text = registry.get(shop_id).customers.model_dump_json(indent=2)
    print(text)


@app.command()
def items(
    shop_id: Annotated[str, typer.Argument(help="shop whose items are meant")],
    rules: Annotated[Path | None, typer.Option(help="JSON file of rules; what it leaves out is default")] = None,
) -> None:
    """Show, or set from a file, when an item is to be restocked or moves slowly, and the bounds of price bands."""
    with _rules_to_change(rules) as registry:
        if rules is not None:
            registry.set_item_rules(shop_id, ItemThresholds.model_validate_json(rules.read_bytes()))
        text = registry.get(shop_id).items.model_dump_json(indent=2)
    print(text)


@contextmanager
def _rules_to_change(rules: Path | None) -> Iterator[Shops]:
    """The registry; what is wrong with the shop's id or the file of rules is told by name."""
    try:
        with Shops.edit(Paths.of(get_settings()).shops_file) as registry:
            yield registry
    except UnknownShop as error:
        raise typer.BadParameter(error.args[0], param_hint="SHOP_ID") from None
    except ValidationError as error:
        raise typer.BadParameter(f"{rules}: {complaints(error)}", param_hint="--rules") from None
    except OSError as error:
        raise typer.BadParameter(f"{rules}: {error.strerror}", param_hint="--rules") from None


def complaints(error: ValidationError) -> str:
    """What is wrong, each with its field."""
    return "; ".join(f"{'.'.join(map(str, each['loc'])) or 'rules'}: {each['msg']}" for each in error.errors())


@app.command()
def groups(
    shop: Annotated[list[str] | None, typer.Option(help="only these shops; may repeat")] = None,
    landed: Annotated[bool, typer.Option("--landed", help="shops that have landing files, registered or not")] = False,
    models_from: Annotated[ModelsFrom | None, typer.Option(help="only shops whose models come from there")] = None,
    size: Annotated[int | None, typer.Option(min=1, help="most shops of a group; default: JISHI_SHOP_GROUP_SIZE")] = None,
) -> None:
    """Print the shops in groups, as JSON: for each group the environment of a task that works on it.

    SHOPS are the arguments that name the shops, GROUP is the group's name for people. Shops that share files are together.
    """
    settings = get_settings()
    paths = Paths.of(settings)
    registry, size = Shops.load(paths.shops_file), size or settings.shop_group_size
    if landed:
        history = landed_shops(paths.history)
        wanted = [shop_id for shop_id in history if not shop or shop_id in shop]
        missing = sorted(set(shop or ()) - set(history) - set(registry.shops))
        if missing:
            raise typer.BadParameter(f"{', '.join(missing)}: neither landing files nor registered", param_hint="--shop")
        chosen = in_groups(by_bucket(wanted), size)
    elif shop:
        try:
            chosen = in_groups(by_bucket(registry.get(shop_id).shop_id for shop_id in set(shop)), size)
        except UnknownShop as error:
            raise typer.BadParameter(error.args[0], param_hint="--shop") from None
    else:
        chosen = in_groups(by_bucket(registry.of_models(models_from)), size)
    print(json.dumps([_environment(sorted(group)) for group in chosen]))


def _environment(group: list[str]) -> dict[str, str]:
    name = group[0] if len(group) == 1 else f"{group[0]} … {group[-1]} ({len(group)})"
    return {"SHOPS": " ".join(f"--shop {shop_id}" for shop_id in group), "GROUP": name}


@app.command()
def report(
    run: Annotated[str, typer.Argument(help="id of a run, as its jobs got it with --run")],
    failed_tasks: Annotated[int, typer.Option(min=0, help="tasks of the run that failed, as the orchestrator counts them")] = 0,
) -> None:
    """Show what became of each shop in a run; exit 1 when a shop or a task failed. Ledgers of old runs are deleted."""
    from jishi.text_tables import TextTable, text_console

    paths = Paths.of(get_settings())
    jobs = read_run(paths, run)
    counts, failures = TextTable("job", "done", "nothing to do", "failed"), TextTable("job", "shop", "state", "reason")
    for job, shops in jobs.items():
        states = Counter(result.state for result in shops.values())
        failed = [result for result in shops.values() if result.is_failed]
        counts.add_row(job, f"{states['done']:,}", f"{states['nothing to do']:,}", f"{len(failed):,}")
        for result in failed:
            failures.add_row(job, result.shop_id, result.state, result.reason, style="red")
    console = text_console()
    console.print(counts)
    if failures.row_count:
        console.print(failures)
    forget_runs(paths)
    if failures.row_count or failed_tasks:
        print(f"{failures.row_count} shops and {failed_tasks} tasks failed; what failed keeps its old rows")
        raise typer.Exit(1)


@app.command()
def orders(
    shop_id: Annotated[str, typer.Argument(help="shop that the choice is for")],
    source: Annotated[str, typer.Argument(help="server or page: whose orders count from now on")],
) -> None:
    """Choose whose orders count. Those of the other are kept as claims; what was counted before stays."""
    chosen: OrderSource | None = "server" if source == "server" else "page" if source == "page" else None
    if chosen is None:
        raise typer.BadParameter(f"{source!r} sends no orders; choose server or page", param_hint="SOURCE")
    try:
        with Shops.edit(Paths.of(get_settings()).shops_file) as registry:
            registry.choose_order_source(shop_id, chosen)
    except UnknownShop as error:
        raise typer.BadParameter(str(error), param_hint="SHOP_ID") from None
    print(f"{shop_id}: orders of its {chosen} count")


@app.command()
def visits(
    shop_id: Annotated[str, typer.Argument(help="shop that the choice is for")],
    end: Annotated[str, typer.Argument(help="pause, or midnight: whether a visit that goes on past midnight is two")],
) -> None:
    """Choose when visits end. It holds for visits that are built from now on; rebuild silver to change those before."""
    if end not in ("pause", "midnight"):
        raise typer.BadParameter(f"visits do not end at {end!r}; choose pause or midnight", param_hint="END")
    try:
        with Shops.edit(Paths.of(get_settings()).shops_file) as registry:
            registry.end_visits_at_midnight(shop_id, end == "midnight")
    except UnknownShop as error:
        raise typer.BadParameter(str(error), param_hint="SHOP_ID") from None
    print(f"{shop_id}: visits end after 30 minutes without an act" + (", and at midnight" if end == "midnight" else ""))


@app.command()
def funnel(
    shop_id: Annotated[str, typer.Argument(help="shop that the choice is for")],
    order: Annotated[str, typer.Argument(help="strict, or any: whether a step counts only after the step before it")],
    within: Annotated[int | None, typer.Option(help="minutes after the first view; left out: to the end of the visit")] = None,
) -> None:
    """Choose which acts of a visit are steps of its funnel. It holds for all visits from the next marts on."""
    if order not in ("strict", "any"):
        raise typer.BadParameter(f"steps have no order {order!r}; choose strict or any", param_hint="ORDER")
    try:
        rules = FunnelRules(in_order=order == "strict", window_minutes=within)
        with Shops.edit(Paths.of(get_settings()).shops_file) as registry:
            registry.set_funnel_rules(shop_id, rules)
    except ValidationError as error:
        raise typer.BadParameter(f"{error.errors()[0]['msg']}: minutes, from 1 to 1440", param_hint="--within") from None
    except UnknownShop as error:
        raise typer.BadParameter(str(error), param_hint="SHOP_ID") from None
    steps = "each step after the one before it" if rules.in_order else "steps in any order"
    print(f"{shop_id}: {steps}, {f'within {within} minutes of the first view' if within else 'to the end of the visit'}")


@app.command()
def quiet(
    shop_id: Annotated[str, typer.Argument(help="shop whose alerts are meant")],
    begins: Annotated[int | None, typer.Argument(help="hour of the shop's clock, 0 to 23; left out: no quiet hours")] = None,
    ends: Annotated[int | None, typer.Argument(help="hour at which they end")] = None,
) -> None:
    """Set the hours at which no alert of a shop is sent: it waits until they end. They may span midnight."""
    try:
        hours = None if begins is None and ends is None else QuietHours.model_validate({"begins": begins, "ends": ends})
        with Shops.edit(Paths.of(get_settings()).shops_file) as registry:
            registry.set_quiet_hours(shop_id, hours)
    except UnknownShop as error:
        raise typer.BadParameter(error.args[0], param_hint="SHOP_ID") from None
    except ValidationError as error:
        raise typer.BadParameter(complaints(error), param_hint="BEGINS ENDS") from None
    print(f"{shop_id}: no alert from {hours.begins}:00 to {hours.ends}:00" if hours else f"{shop_id}: no quiet hours")


@app.command()
def sums(
    shop_id: Annotated[str, typer.Argument(help="shop whose orders are meant")],
    as_json: Annotated[bool, typer.Option("--json", help="print minor units as JSON")] = False,
) -> None:
    """Show a shop's orders, discounts and refunds by month, to compare with another system's reports."""

    from jishi.text_tables import text_console
    from ops.order_sums import month_sums, print_sums

    settings = get_settings()
    try:
        Shops.load(Paths.of(settings).shops_file).get(shop_id)
    except UnknownShop as error:
        raise typer.BadParameter(error.args[0], param_hint="SHOP_ID") from None
    months = month_sums(settings, shop_id)
    if as_json:
        print(json.dumps([asdict(month) for month in months]))
    else:
        print_sums(text_console(), shop_id, months)
