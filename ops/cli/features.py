"""``jishi features``: what is declared, what it comes to on given events in each engine, and why a value is what it is."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from jishi.text_tables import TextTable, text_console
from ops.cli.handover import hand_over, run_part
from ops.cli.online_parity import online_parity

if TYPE_CHECKING:
    from quality.parity.prove import ParityProof

app = typer.Typer(help="Features: list and export definitions, compute them over events, prove that all engines agree.")
console = text_console()
app.command("online-parity")(online_parity)
Events = Annotated[Path, typer.Option(help="folder of events in landing form, in the order of knowing")]
AsJson = Annotated[bool, typer.Option("--json", help="print definitions as JSON")]


@app.callback(invoke_without_command=True)
def features(context: typer.Context, as_json: AsJson = False) -> None:
    """Features as they are declared; without a command they are listed."""
    if context.invoked_subcommand is None:
        list_(as_json)


@app.command("list")
def list_(as_json: AsJson = False) -> None:
    """List the features as they are declared."""
    from jishi.features import FEATURES
    from jishi.features.export import exported, window_words

    if as_json:
        print(json.dumps(exported(FEATURES), indent=2, ensure_ascii=False))
        return
    table = TextTable()
    for heading in ("feature", "entity", "aggregation", "window", "live", "meaning"):
        table.add_column(heading)
    for feature in FEATURES:
        live = "yes" if feature.is_live else ""
        table.add_row(feature.name, feature.entity, feature.aggregation, window_words(feature), live, feature.meaning)
    console.print(table)


@app.command()
def export(as_json: Annotated[bool, typer.Option("--json", help="as JSON (the only form there is)")] = True) -> None:
    """Print every definition, and the kinds of acts that definitions count, as JSON."""
    from jishi.features import FEATURES
    from jishi.features.export import exported, exported_acts

    print(json.dumps({"features": exported(FEATURES), "acts": exported_acts()}, indent=2, ensure_ascii=False))


@app.command()
def compute(
    events: Events,
    out: Annotated[Path, typer.Option(help="folder for values.parquet")],
    engine: Annotated[str, typer.Option(help="oracle, spark or flink")] = "oracle",
) -> None:
    """Compute every feature over a folder of events and write the values that are not defaults as Parquet."""
    from jishi.settings import get_settings
    from quality.parity.engines import ENGINES, prepared_log
    from quality.parity.engines import compute as run

    if engine not in ENGINES:
        raise typer.BadParameter(f"{engine!r} is none of {', '.join(ENGINES)}", param_hint="--engine")
    with _error_in_one_line():
        settings = get_settings()
        with prepared_log(events, settings, _say) as log:
            run(engine, log, out / "values.parquet", settings, _say)
    _say(f"wrote {out / 'values.parquet'}")


@app.command()
def bootstrap(
    as_of: Annotated[str | None, typer.Option(help="ISO 8601 instant of the values; now if left out")] = None,
    compute_first: Annotated[
        bool, typer.Option("--compute/--no-compute", help="run the Spark backfill first, over everything in bronze")
    ] = True,
) -> None:
    """Rebuild the online store from history: backfill every view, then write what the store does not hold newer."""
    if compute_first:
        run_part("spark_jobs", ["features"])
    hand_over("feature_repo", ["bootstrap", *([] if as_of is None else ["--as-of", as_of])])


@app.command()
def parity(
    events: Events,
    engine: Annotated[list[str] | None, typer.Option(help="spark or flink; repeat for both; both if left out")] = None,
    online: Annotated[bool, typer.Option(help="read online stores too, which Flink's messages feed")] = True,
    store: Annotated[
        list[str] | None,
        typer.Option(
            help="online store; may repeat: sqlite (if left out; a file of its own), or redis and postgresql, which write to "
            "the server of the settings: name one that holds nothing"
        ),
    ] = None,
) -> None:
    """Compare all engines and online stores with the oracle, value by value; exit 1 on any difference."""
    from jishi.settings import get_settings
    from quality.parity.engines import ENGINES, STORES, prepared_log
    from quality.parity.prove import explained, prove_parity

    compared = engine or [name for name in ENGINES if name != "oracle"]
    for name in compared:
        if name not in ENGINES or name == "oracle":
            raise typer.BadParameter(f"{name!r} is none of spark, flink", param_hint="--engine")
    stores = (store or ["sqlite"]) if online else []
    for name in stores:
        if name not in STORES:
            raise typer.BadParameter(f"{name!r} is none of {', '.join(STORES)}", param_hint="--store")
    with _error_in_one_line():
        settings = get_settings()
        with prepared_log(events, settings, _say) as log:
            proof = prove_parity(log, compared, stores, settings, _say)
            console.print(_proof_table(proof))
            for paragraph in explained(proof, log, settings):
                _say(paragraph)
    engines = ", ".join(proof.engines)
    _say(f"{proof.records} events, {proof.acts} good acts, {proof.rows} values in {engines}: {proof.different} differ")
    for name, rows in proof.compared.items():
        _say(f"{name}: {rows} values of the oracle compared")
    raise typer.Exit(1 if proof.different else 0)


@app.command()
def why(
    entity: Annotated[str, typer.Option(help="such as user:1, device:d7, item:i7, shop:s1, person_category:u:1|裙装")],
    feature: Annotated[str, typer.Option(help="name of a feature, with or without the entity in front")],
    as_of: Annotated[str, typer.Option(help="ISO 8601 instant at which the value is read")],
    events: Annotated[Path | None, typer.Option(help="folder of events; the lake's bronze if left out")] = None,
    shop: Annotated[str | None, typer.Option(help="shop id; needed when the events are of several shops")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print as JSON")] = False,
) -> None:
    """List the events behind one value of one feature."""
    from jishi.contract.fields import parse_instant, to_ms
    from quality.parity.evidence import evidence

    try:
        as_of_ms = to_ms(parse_instant(as_of))
    except ValueError as error:
        raise typer.BadParameter(f"{as_of!r} {error}", param_hint="--as-of") from None
    with _error_in_one_line():
        result = evidence(entity, feature, as_of_ms, events, shop)
    value, window = result.value, result.window
    if as_json:
        facts = {"feature": result.feature.name, "entity_id": result.entity_id, "value": value, "window_ms": window}
        print(json.dumps(facts | {"valid_until_ms": result.valid_until_ms, "acts": result.acts}, indent=2, ensure_ascii=False))
        return
    table = TextTable("event", "act", "occurred", "known", "item", "value")
    for act in result.acts:
        counted = act[result.feature.column] if result.feature.column else ""
        times = (_utc(act["occurred_at_ms"]), _utc(act["received_at_ms"]))
        table.add_row(str(act["event_id"]), act["kind"], *times, act["item_id"] or "", str(counted))
    console.print(table)
    span = f", window {_utc(window[0])} to {_utc(window[1])} UTC" if window else ""
    _say(f"{result.feature.name} of {result.feature.entity} {result.entity_id} is {value!r}{span}; {result.feature.meaning}")


def _proof_table(proof: ParityProof) -> TextTable:
    caption = (
        "values: (entity, instant) pairs at which the oracle says another value than the default. Each engine's column says on "
        "how many of them it was compared (an online store is read at a few instants only): = where all are equal and it says "
        "nothing more, else how many are missing, other, too many, or of another validity. Ages change with every instant and "
        "are compared in online stores alone."
    )
    table = TextTable("feature", caption=caption)
    for heading in ("values", *proof.engines):
        table.add_column(heading, justify="right")
    first = next(iter(proof.engines.values()))
    for name, compared in first.items():
        cells = []
        for of_engine in proof.engines.values():
            wrong = of_engine[name].different
            cells.append(Text(f"{wrong} differ", "red") if wrong else f"{of_engine[name].rows} =")
        table.add_row(name, str(compared.rows), *cells)
    return table


@contextmanager
def _error_in_one_line() -> Iterator[None]:
    """What a user can mend is one sentence and exit code 2."""
    from jishi.features.why import UnknownFeature
    from jishi.lake import TableNotPublished
    from jishi.landing import LandingError
    from quality.parity.engines import EngineFailed
    from quality.parity.value_table import NothingComputed

    try:
        yield
    except (LandingError, EngineFailed, NothingComputed, UnknownFeature, TableNotPublished) as error:
        print(f"error: {error}", file=sys.stderr)
        raise typer.Exit(2) from None


def _say(line: str) -> None:
    console.print(line, highlight=False, soft_wrap=True, markup=False)


def _utc(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
