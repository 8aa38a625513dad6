"""``jishi quarantine``: what was kept out of the good stream, why, and how it comes back."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from jishi.lake.quarantine import State
from jishi.paths import Paths
from jishi.settings import PROJECT_ROOT, get_settings
from jishi.text_tables import text_console

_HELP = "Events that were accepted but are not good, with shop, reason, field and raw line; and their repair."
SHOWN_ID = 12  # of a collector's id; enough to find the event again
SHOWN_LINE = 200
app = typer.Typer(no_args_is_help=True, help=_HELP)

Shop = Annotated[str | None, typer.Option(help="only this shop")]
Reason = Annotated[str | None, typer.Option(help="only this reason, such as missing_field")]
Repaired = Annotated[bool, typer.Option("--repaired", help="those that were repaired, instead of those that wait")]


@app.callback(help=_HELP)
def quarantine() -> None:
    """Group of the commands on quarantined events."""


@app.command("list")
def list_(
    shop: Shop = None,
    reason: Reason = None,
    repaired: Repaired = False,
    limit: Annotated[int, typer.Option(min=1, help="most rows")] = 50,
    as_json: Annotated[bool, typer.Option("--json", help="print whole lines as JSON")] = False,
) -> None:
    """List quarantined events, newest first."""

    from jishi.lake.quarantine import quarantined

    rows = quarantined(get_settings(), shop=shop, reason=reason, states=_states(repaired), limit=limit)
    if as_json:
        print(json.dumps([asdict(row) for row in rows], indent=2, ensure_ascii=False, default=str))
        return
    console = text_console(highlight=False, soft_wrap=True, markup=False)
    console.print(f"{len(rows)} quarantined events, newest first")
    for row in rows:
        when = f"{row.received_at:%Y-%m-%d %H:%M:%S}" + ("" if row.batch or repaired else " live")
        mapped = "" if row.mapping is None else f" ({row.state}: {row.mapping})"
        console.print(f"\n{row.collector_id[:SHOWN_ID]}#{row.seq}  {row.shop_id}  {when} UTC", style="bold")
        console.print(f"  {' '.join(word for word in (row.reason + mapped, row.field) if word)}", style="red")
        if row.detail:
            console.print(f"  {row.detail}")
        console.print(f"  {row.line if len(row.line) <= SHOWN_LINE else row.line[: SHOWN_LINE - 1] + '…'}", style="dim")
    if len(rows) == limit:
        console.print(
            f"\nthe first {limit}; --limit N shows more, --json whole lines, jishi quarantine show ID one with all of it"
        )


@app.command()
def show(
    identity: Annotated[str, typer.Argument(metavar="ID", help="id as list shows it: collector (its start is enough)#seq")],
) -> None:
    """Show one event with everything that is known of it."""
    from jishi.lake.quarantine import quarantined

    collector, _, seq = identity.rpartition("#")
    matches = [
        row
        for row in quarantined(get_settings(), states=("open", "waiting", "repaired"))
        if str(row.seq) == seq and row.collector_id.startswith(collector)
    ]
    if len(matches) != 1:
        problem = "no quarantined event" if not matches else "more than one quarantined event"
        raise typer.BadParameter(f"{problem} has the id {identity!r}; jishi quarantine list shows the ids", param_hint="ID")
    print(json.dumps(asdict(matches[0]), indent=2, ensure_ascii=False, default=str))


@app.command()
def export(
    out: Annotated[Path, typer.Option(help="file to write: JSON lines with the raw line and why it was kept out")],
    shop: Shop = None,
    reason: Reason = None,
    repaired: Repaired = False,
) -> None:
    """Write quarantined events to a file, to look for a pattern or to mend them by hand."""
    from jishi.lake.quarantine import quarantined

    rows = quarantined(get_settings(), shop=shop, reason=reason, states=_states(repaired))
    with out.open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(asdict(row), ensure_ascii=False, default=str) + "\n" for row in rows)
    print(f"{len(rows):,} events → {out}")


@app.command()
def replay(
    map_file: Annotated[Path, typer.Option("--map", help="mapping (YAML or JSON), see docs/quarantine.md")],
    shop: Shop = None,
    trial: Annotated[bool, typer.Option("--trial", help="say what would be repaired and write nothing")] = False,
    build: Annotated[bool, typer.Option(help="build the batches anew, so that the tables show the repair")] = True,
) -> None:
    """Replay quarantined events once through a mapping, with their original received_at."""
    python = str(_paths().python("main"))
    command = [python, "-m", "quality", "repair", str(map_file.absolute())]
    command += ["--shop", shop] if shop else []
    command += ["--trial"] if trial else []
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False, cwd=PROJECT_ROOT)
    if done.returncode != 0:
        raise typer.Exit(done.returncode)
    result = json.loads(done.stdout)
    repaired = sum(result["repaired"].values())
    still = ", ".join(f"{n:,} {why}" for why, n in sorted(result["still"].items())) or "0"
    verb = "would be" if trial else "are"
    print(f"{result['matched']:,} events match, {repaired:,} {verb} repaired; still refused: {still}")
    for example in result["examples"]:
        print(f"  {example}")
    for batch, shops in result["batches"].items():
        names = [word for shop_id in shops for word in ("--shop", shop_id)]
        if not build:
            print(f"waiting: {python} -m spark_jobs silver --batch {batch} {' '.join(names)}")
            continue
        code = subprocess.run(
            [python, "-m", "spark_jobs", "silver", "--batch", batch, *names], check=False, cwd=PROJECT_ROOT
        ).returncode
        if code != 0:
            print(f"the repairs are kept, but batch {batch} was not built; run the same command again", file=sys.stderr)
            raise typer.Exit(code)


def _paths() -> Paths:
    return Paths.of(get_settings())


def _states(repaired: bool) -> tuple[State, ...]:
    return ("repaired",) if repaired else ("open", "waiting")
