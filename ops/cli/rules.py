"""``jishi rules``: the rules of a shop's recommendations, checked, tried, published and taken back.

A running serving takes over a new version within two seconds.
"""

from __future__ import annotations

import getpass
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from jishi.paths import Paths
from jishi.rules.complaints import BadRules, rules_of_text
from jishi.rules.preview_client import NoPreview, PreviewClient
from jishi.rules.rule_set import RuleSet
from jishi.rules.versions import NoSuchVersion, RulesChanged, RulesUnreadable, RuleVersion, RuleVersions
from jishi.settings import get_settings
from jishi.shops import Shops, UnknownShop

_HELP = "Rules of a shop's recommendations: boost, bury, hide, pin, diversity, price bands, caps, weights, new items."
app = typer.Typer(no_args_is_help=True, help=_HELP)
_Shop = Annotated[str, typer.Argument(help="shop whose rules are meant")]
_File = Annotated[Path, typer.Argument(help='JSON file, {"rules": [...]} (docs/serving.md)')]


@app.callback(help=_HELP)
def rules() -> None:
    """Group of the commands on rules."""


@app.command()
def show(
    shop_id: _Shop,
    version: Annotated[int | None, typer.Option(min=1, help="an older version; left out: the one in use")] = None,
    history: Annotated[bool, typer.Option("--history", help="list all versions instead")] = False,
) -> None:
    """Print the rules in use, or an older version, as a file that publish takes."""
    versions = _versions(shop_id)
    if history:
        _print_history(versions)
        return
    shown, problem = (_read(versions, version), None) if version is not None else versions.in_use()
    if problem is not None:
        typer.echo(f"warning: a newer version cannot be read: {problem}", err=True)
    stated = [] if shown is None else shown.rules.stated()
    print(json.dumps({"rules": stated}, indent=2, ensure_ascii=False))


@app.command()
def check(shop_id: _Shop, file: _File) -> None:
    """Say what is wrong with a file of rules, each with its field; exit 1 when something is."""
    _versions(shop_id)
    print(f"{file}: {len(_rules_in(file).rules)} rules, nothing is wrong with them")


@app.command()
def preview(
    shop_id: _Shop,
    file: _File,
    placement: Annotated[str, typer.Option(help="home, item, cart, after_payment, search_empty or category")] = "home",
    user: Annotated[str | None, typer.Option(help="user_id of a shopper")] = None,
    item: Annotated[str | None, typer.Option(help="item_id of the page, for placement item")] = None,
    cart: Annotated[list[str] | None, typer.Option(help="item_id in the cart; may repeat")] = None,
    paid: Annotated[list[str] | None, typer.Option(help="item_id just paid, for after_payment; may repeat")] = None,
    category: Annotated[str | None, typer.Option(help="category of the page, for placement category")] = None,
    channel: Annotated[str | None, typer.Option(help="channel of the visit, as its events say it")] = None,
    device: Annotated[str | None, typer.Option(help="device of the visit, as its events say it")] = None,
    region: Annotated[str | None, typer.Option(help="where the visit is from: only what is sold there")] = None,
    limit: Annotated[int, typer.Option(min=1, max=100)] = 10,
    as_json: Annotated[bool, typer.Option("--json", help="print the answer as it came")] = False,
) -> None:
    """Show a list as it is and as it would be, and what each rule meets; asks the running platform."""
    _versions(shop_id)
    draft: dict[str, Any] = {"rules": _rules_in(file).stated(), "placement": placement, "limit": limit}
    draft |= {"user_id": user, "item_id": item, "cart_item_ids": cart or [], "order_item_ids": paid or [], "category": category}
    draft |= {"channel": channel, "device": device, "region": region}
    try:
        answer = PreviewClient(get_settings()).preview(shop_id, draft)
    except NoPreview as error:
        typer.echo(
            f"error: {error}; start the platform with: jishi up" if error.code == "no_answer" else f"error: {error}", err=True
        )
        raise typer.Exit(1) from None
    if as_json:
        print(json.dumps(answer, indent=2, ensure_ascii=False))
    else:
        _print_preview(answer)


@app.command()
def publish(
    shop_id: _Shop,
    file: _File,
    note: Annotated[str, typer.Option(help="why, for the history")] = "",
    after: Annotated[
        int | None,
        typer.Option(min=0, help="publish only while this version is the newest (0: none yet), so that nothing is lost"),
    ] = None,
) -> None:
    """Make the rules of a file those in use."""
    versions = _versions(shop_id)
    try:
        published = versions.publish(_rules_in(file), _who(), datetime.now(UTC), note=note, after=after)
    except RulesChanged as error:
        raise typer.BadParameter(str(error), param_hint="--after") from None
    print(f"{shop_id}: version {published.facts.version}, {len(published.rules.rules)} rules")


@app.command()
def rollback(shop_id: _Shop, version: Annotated[int, typer.Argument(min=1, help="version whose rules come back")]) -> None:
    """Bring back the rules of an older version, as a new one."""
    versions = _versions(shop_id)
    _read(versions, version)
    published = versions.roll_back(version, _who(), datetime.now(UTC))
    print(f"{shop_id}: version {published.facts.version}, the rules of version {version}")


def _versions(shop_id: str) -> RuleVersions:
    paths = Paths.of(get_settings())
    try:
        return RuleVersions.of(paths, Shops.load(paths.shops_file).get(shop_id).shop_id)
    except UnknownShop as error:
        raise typer.BadParameter(error.args[0], param_hint="SHOP_ID") from None


def _read(versions: RuleVersions, number: int) -> RuleVersion:
    try:
        return versions.read(number)
    except (NoSuchVersion, RulesUnreadable) as error:
        raise typer.BadParameter(error.args[0], param_hint="VERSION") from None


def _rules_in(file: Path) -> RuleSet:
    try:
        return rules_of_text(file.read_bytes())
    except BadRules as error:
        typer.echo("\n".join(f"error: {file}: {each}" for each in error.complaints), err=True)
        raise typer.Exit(1) from None
    except OSError as error:
        raise typer.BadParameter(f"{file}: {error.strerror}", param_hint="FILE") from None


def _who() -> str:
    return f"{getpass.getuser()} (command line)"


def _print_history(versions: RuleVersions) -> None:
    from jishi.text_tables import TextTable, text_console

    table = TextTable("version", "published", "by", "rules", "note")
    for number in versions.numbers():
        try:
            version = versions.read(number)
        except RulesUnreadable as error:
            table.add_row(str(number), "", "", "unreadable", str(error), style="red")
            continue
        facts = version.facts
        note = f"rules of version {facts.restores}" if facts.restores is not None else facts.note
        table.add_row(
            str(number), f"{facts.published_at:%Y-%m-%d %H:%M} UTC", facts.published_by, str(len(version.rules.rules)), note
        )
    text_console(markup=False).print(table)


def _print_preview(answer: dict[str, Any]) -> None:
    from jishi.text_tables import TextTable, text_console

    console = text_console(markup=False)
    lists = TextTable("#", "as it is", "as it would be", "rules")
    before, after = answer["before"]["items"], answer["after"]["items"]
    for place in range(max(len(before), len(after))):
        old, new = (each[place] if place < len(each) else None for each in (before, after))
        touches = "" if new is None else ", ".join(f"{touch['rule']} ({touch['effect']})" for touch in new["explain"]["rules"])
        lists.add_row(
            str(place + 1), *("" if each is None else f"{each['item_id']} {each['title']}" for each in (old, new)), touches
        )
    console.print(lists)
    notes = TextTable("rule", "kind", "", "items", "unknown")
    for note in answer["notes"]:
        notes.add_row(note["rule"], note["kind"], note["code"], f"{note['items']:,}", f"{note['unknown']:,}")
    console.print(notes)
