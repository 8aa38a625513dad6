"""``import events``, ``orders`` and ``items``: a shop's files → landing files, resumable, with a progress bar."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import TypeAdapter, ValidationError
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as ProgressBar

from imports.items import item_lines
from imports.order_mapping import ITEM_PRESETS, PRESETS, ExportMapping, load_export_mapping, preset_names
from imports.orders import order_lines
from imports.preview import ImportClock, preview, preview_json, totals_of
from imports.refunds import UnreturnedPurchases
from imports.resumable import fingerprint_of, resumable_landing
from imports.user_events import lines_of_files
from jishi.contract.fields import ShopId as ShopIdForm
from jishi.landing import MANIFEST, LandingError, Manifest, ShopFacts, landed_lines, load_manifest, settle
from jishi.paths import Paths
from jishi.settings import get_settings
from jishi.shops import Shop, Shops, UnknownShop
from jishi.text_tables import text_console

EventFiles = Annotated[list[Path], typer.Argument(help="JSON-lines files of raw events, in the order of knowing")]
Files = Annotated[list[Path], typer.Argument(help="CSV, Excel or Parquet files of one export")]
ShopId = Annotated[str, typer.Option("--shop", help="shop id that they belong to")]
MapFile = Annotated[Path | None, typer.Option("--map", help="what the columns mean (YAML), see docs/import.md")]
Preset = Annotated[str | None, typer.Option(help=f"a known layout instead of --map: {', '.join(preset_names())}")]
ItemPreset = Annotated[
    str | None, typer.Option(help=f"a known layout instead of --map: {', '.join(preset_names(ITEM_PRESETS))}")
]
Currency = Annotated[str | None, typer.Option(help="ISO 4217 code of amounts, in the place of the mapping's")]
TimeZone = Annotated[str | None, typer.Option(help="IANA time zone of times without an offset, in the place of the mapping's")]
Decimals = Annotated[str | None, typer.Option("--decimal", help="decimal sign of amounts, . or , where the file tells none")]
TimeFormat = Annotated[str | None, typer.Option(help="strptime format of times, in the place of the mapping's")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="write nothing; show counts, sums, refusals and the first events")]
AsJson = Annotated[bool, typer.Option("--json", help="with --dry-run: as JSON")]
Name = Annotated[str | None, typer.Option(help="name of the shop; of a known shop it stays as it is")]
Add = Annotated[bool, typer.Option("--add", help="keep the shop's history and add to it, instead of replacing it")]
WorkUp = Annotated[bool, typer.Option("--work-up", help="then publish it and work it up, up to boards and recommendations")]
Lines = Callable[[Callable[[int, int], None], Callable[[str], None]], Iterator[bytes]]


def events(
    files: EventFiles,
    shop: ShopId,
    name: Name = None,
    time_zone: Annotated[str | None, typer.Option(help="IANA time zone that decides the shop's days")] = None,
    currency: Annotated[str | None, typer.Option(help="ISO 4217 code")] = None,
    add: Add = False,
    work_up: WorkUp = False,
) -> None:
    """A shop's own event files → landing files."""
    _leave_to_jishi(work_up)
    _require_known(shop, name)
    known = Shops.load(Paths.of(get_settings()).shops_file).shops.get(valid_shop_id(shop))
    try:
        wanted = Shop(
            shop_id=shop,
            name=name or (known.name if known else shop),
            time_zone=time_zone or (known.time_zone if known else "UTC"),
            currency=currency or (known.currency if known else "CNY"),
        )
    except ValidationError as error:
        first = error.errors()[0]
        option, message = str(first["loc"][0]).replace("_", "-"), first["msg"].removeprefix("Value error, ")
        raise LandingError(f"--{option}: {message}") from None
    facts = ShopFacts(name=wanted.name, time_zone=wanted.time_zone, currency=wanted.currency)
    _import(files, shop, facts, [], add, lambda progress, notes: lines_of_files(files, progress), kind="files", unit="MB")


def orders(
    files: Files,
    shop: ShopId,
    map_file: MapFile = None,
    preset: Preset = None,
    currency: Currency = None,
    time_zone: TimeZone = None,
    decimal: Decimals = None,
    time_format: TimeFormat = None,
    name: Name = None,
    add: Add = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
    work_up: WorkUp = False,
) -> None:
    """Order lines, cancellations and refunds of another system → landing files."""
    _leave_to_jishi(work_up)
    _require_known(shop, name)
    mapping = _mapping(map_file, preset, shop, currency=currency, time_zone=time_zone, decimal=decimal, time_format=time_format)
    facts = _facts(shop, name, mapping.time_zone, mapping.currency)
    paths = Paths.of(get_settings())

    def lines(progress: Callable[[int, int], None], notes: Callable[[str], None]) -> Iterator[bytes]:
        purchases = UnreturnedPurchases.of_events(landed_lines(paths.history / shop)) if add else None
        return order_lines(files, mapping, shop, progress, purchases, notes)

    if dry_run:
        _preview(lines, valid_shop_id(shop), facts, mapping.currency, as_json)
        return
    _import(files, shop, facts, [_mapping_file(map_file, preset)], add, lines, settings=mapping.model_dump_json())


def items(
    files: Files,
    shop: ShopId,
    map_file: MapFile = None,
    preset: ItemPreset = None,
    changed_at: Annotated[str | None, typer.Option(help="since when it is so, for rows that do not say (ISO 8601)")] = None,
    name: Name = None,
    add: Add = True,
    dry_run: DryRun = False,
    as_json: AsJson = False,
    work_up: WorkUp = False,
) -> None:
    """Items of another system, in their whole state → landing files."""
    _leave_to_jishi(work_up)
    _require_known(shop, name)
    mapping = _mapping(map_file, preset, shop, presets=ITEM_PRESETS)
    if changed_at is None and "changed_at" not in mapping.columns:
        raise LandingError("nothing says since when the items are so; give --changed-at, or a column for changed_at")
    facts = _facts(shop, name, mapping.time_zone, mapping.currency)
    maps = [_mapping_file(map_file, preset, ITEM_PRESETS)]

    def lines(progress: Callable[[int, int], None], notes: Callable[[str], None]) -> Iterator[bytes]:
        return item_lines(files, mapping, shop, changed_at, progress, notes)

    if dry_run:
        _preview(lines, valid_shop_id(shop), facts, mapping.currency, as_json)
        return
    _import(files, shop, facts, maps, add, lines)


def _require_known(shop: str, name: str | None) -> None:
    """Raise LandingError for a shop that nobody made, which may be one that was typed wrong; the first of all, and one with a
    name of its own, are new.
    """
    paths = Paths.of(get_settings())
    known = Shops.load(paths.shops_file)
    if name is not None or not known.shops or (paths.history / valid_shop_id(shop)).exists():
        return
    try:
        known.get(shop)
    except UnknownShop as error:
        raise LandingError(
            f"--shop: {error}. A new one is made with jishi shops create {shop} --currency … --time-zone …, or by --name here"
        ) from None


def valid_shop_id(shop: str) -> str:
    """The shop id, if it has the form of one. Raises LandingError."""
    try:
        return TypeAdapter(ShopIdForm).validate_python(shop)
    except ValidationError:
        raise LandingError(f"--shop: {shop!r} is not a shop id; use lower-case letters, digits, - and _") from None


def _import(
    files: list[Path],
    shop: str,
    facts: ShopFacts,
    maps: list[Path],
    add: bool,
    lines: Lines,
    *,
    kind: str = "export",
    unit: str = "rows",
    settings: str = "",
) -> None:
    began, root = time.monotonic(), Paths.of(get_settings()).history
    for file in files:
        if not file.is_file():
            raise LandingError(f"{file} does not exist or is not a file; name files that are there")
    replaced = None if add else _known_history(root / valid_shop_id(shop))
    fingerprint = fingerprint_of([*files, *maps], valid_shop_id(shop), facts.model_dump_json(), settings)
    source = f"{kind}: " + ", ".join(file.name for file in files)
    console = text_console()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with ProgressBar(*columns, console=console, transient=True) as bar:
        shown = bar.add_task(unit, total=None)
        with resumable_landing(root, shop, facts, source, fingerprint, add=add) as writer:
            if writer.resumed:
                console.print(f"going on behind {writer.resumed:,} events that are on disk already")
            writer.write(lines(partial(_show_progress, bar, shown), partial(console.print, highlight=False, soft_wrap=True)))
    if writer.was_added_before:
        console.print(f"{shop}: these files were added before; nothing was added again", highlight=False, soft_wrap=True)
        return
    if replaced is not None:
        console.print(
            f"replaced {replaced.lines:,} events of {replaced.source}; --add keeps them", highlight=False, soft_wrap=True
        )
    summary = f"{shop}: {writer.lines:,} events → {root / shop} in {time.monotonic() - began:.1f} s; next: jishi import history"
    console.print(f"{summary} --shop {shop}", highlight=False, soft_wrap=True)


def _known_history(folder: Path) -> Manifest | None:
    """What an import would replace; None without a history, or for one whose manifest is damaged."""
    with suppress(LandingError):
        settle(folder)
        return load_manifest(folder) if (folder / MANIFEST).exists() else None
    return None


def _show_progress(bar: ProgressBar, shown: object, done: int, total: int) -> None:
    bar.update(shown, completed=done, total=total)  # type: ignore[arg-type]


def _mapping_file(map_file: Path | None, preset: str | None, presets: Path = PRESETS) -> Path:
    """The file of the mapping. Raises LandingError unless just one of both is named."""
    if (map_file is None) == (preset is None):
        raise LandingError(f"name what the columns mean: --map FILE, or --preset {'|'.join(preset_names(presets))}")
    return map_file if map_file is not None else presets / f"{preset}.yaml"


def _mapping(map_file: Path | None, preset: str | None, shop: str, *, presets: Path = PRESETS, **changes: Any) -> ExportMapping:
    """The mapping; currency and time zone that it leaves out are the shop's, if it is registered."""
    file = _mapping_file(map_file, preset, presets)
    known = Shops.load(Paths.of(get_settings()).shops_file).shops.get(shop)
    missing = {"currency": known.currency, "time_zone": known.time_zone} if known else None
    return load_export_mapping(preset if preset is not None else file, missing, presets=presets, **changes)


def _leave_to_jishi(work_up: bool) -> None:
    if work_up:
        raise LandingError("--work-up starts other parts, which only the command jishi may: jishi import … --work-up")


def _preview(lines: Lines, shop: str, facts: ShopFacts, currency: str, as_json: bool) -> None:
    """What the import would do, for people or as JSON."""
    clock = ImportClock(time.time_ns() // 1_000_000, 1000 * get_settings().future_tolerance_s)
    if not as_json:
        preview(lines(lambda done, total: None, _note), shop, currency, clock)
        return
    notes: list[str] = []
    print(preview_json(totals_of(lines(lambda done, total: None, notes.append), shop, facts.time_zone, clock), notes))


def _note(line: str) -> None:
    text_console().print(line, highlight=False, soft_wrap=True)


def _facts(shop: str, name: str | None, time_zone: str, currency: str) -> ShopFacts:
    known = Shops.load(Paths.of(get_settings()).shops_file).shops.get(shop)
    return ShopFacts(
        name=name or (known.name if known else shop),
        time_zone=known.time_zone if known else time_zone,
        currency=known.currency if known else currency,
    )
