"""``python -m collector serve|forward|accepted|acknowledged|find|send``: take events, forward, count, find and send them."""

from __future__ import annotations

import json
import logging
import sys
from pathlib import Path
from typing import Annotated

import typer

from collector.wal.segments import WalCorrupt, WalLocked
from jishi.command_line import KEY_VARIABLE
from jishi.json_logs import log_as_json
from jishi.paths import Paths
from jishi.settings import get_settings

app = typer.Typer(add_completion=False, no_args_is_help=True, help=__doc__, pretty_exceptions_enable=False)


class Failed(RuntimeError):
    """A user's error: one sentence, exit code 2."""


@app.command()
def serve() -> None:
    """Take events over HTTP until SIGTERM."""
    from collector.keys import RegistryUnreadable
    from collector.serve import CollectorPortTaken
    from collector.serve import serve as run
    from collector.sizes import SizesDisagree

    log_as_json("collector")
    settings = get_settings()
    try:
        run(settings, Paths.of(settings))
    except (CollectorPortTaken, RegistryUnreadable, SizesDisagree) as error:
        raise Failed(str(error)) from None
    except OSError as error:
        raise Failed(f"{error.filename or Paths.of(settings).wal}: {error.strerror}; free or repair the disk") from None


@app.command()
def forward() -> None:
    """Forward acknowledged events to Kafka, in order, until SIGTERM."""
    from collector.forward import forward as run

    log_as_json("forwarder")
    settings = get_settings()
    run(settings, Paths.of(settings))


@app.command()
def accepted(
    as_json: Annotated[bool, typer.Option("--json", help="one JSON object, shop to count")] = False,
) -> None:
    """Acknowledged events by shop, counted from the write-ahead log."""
    from collector.accepted import count_accepted

    counts = count_accepted(Paths.of(get_settings()).wal)
    if as_json:
        print(json.dumps(counts))
        return
    for shop_id, count in counts.items():
        print(f"{shop_id:24} {count:>12,}")
    print(f"{'all':24} {sum(counts.values()):>12,}")


@app.command()
def acknowledged(as_json: Annotated[bool, typer.Option("--json", help="one JSON object")] = False) -> None:
    """Acknowledged events by UTC day and shop, the numbers of each day, and entries that cannot be read."""
    from collector.accepted import acknowledged as count

    facts = count(Paths.of(get_settings()).wal)
    if as_json:
        print(json.dumps(facts))
        return
    for day, of_day in facts["days"].items():
        for shop_id, number in of_day["shops"].items():
            print(f"{day} {shop_id:24} {number:>12,}")
    for note in facts["damaged"]:
        print(f"cannot be read: {note['first_seq']} to {note['next_seq'] - 1}")


@app.command()
def find(
    seqs: Annotated[list[int], typer.Argument(help="numbers of entries")],
    as_json: Annotated[bool, typer.Option("--json", help="one JSON object")] = False,
) -> None:
    """Shop and event id of entries that are still in a segment."""
    from collector.accepted import find_entries

    names = find_entries(Paths.of(get_settings()).wal, seqs)
    print(json.dumps(names) if as_json else "\n".join(f"{seq} {name}" for seq, name in sorted(names.items())))


@app.command()
def send(
    file: Annotated[Path, typer.Argument(help="JSON lines, one event each")],
    shop: Annotated[str, typer.Option(help="shop id of the events")],
    key: Annotated[
        str | None, typer.Option(envvar=KEY_VARIABLE, help="write key; left out: the one that jishi keeps for its own clients")
    ] = None,
    url: Annotated[str | None, typer.Option(help="collector; left out: the one of the settings")] = None,
    batch: Annotated[int, typer.Option(min=1, max=500, help="events a request")] = 100,
    rate: Annotated[float | None, typer.Option(min=0.1, help="events a second; as fast as it goes if left out")] = None,
) -> None:
    """Send a file of events over HTTP."""
    from collector.send import SendFailed, known_key, send_file
    from jishi.text_tables import TextTable, text_console

    settings = get_settings()
    try:
        sent = send_file(
            file,
            url=url or f"http://{settings.host}:{settings.collector_port}",
            key=key or known_key(Paths.of(settings).client_keys_file, shop),
            batch=batch,
            rate=rate,
        )
    except SendFailed as error:
        raise Failed(str(error)) from None
    table = TextTable(title=f"{file.name} → shop {shop}", title_justify="left")
    table.add_column("what")
    table.add_column("count", justify="right")
    table.add_row("acknowledged", f"{sent.accepted:,}")
    for reason, count in sorted(sent.quarantined.items()):
        table.add_row(f"of them in quarantine: {reason}", f"{count:,}")
    table.add_row("requests", f"{sent.requests:,}")
    table.add_row("sent again", f"{sent.retries:,}")
    table.add_row("seconds", f"{sent.seconds:.2f}")
    text_console().print(table)


def main() -> int:
    """Run the command; a user's error is one sentence, a part's a line of its log, and exit code 2."""
    try:
        app(prog_name="jishi" if sys.argv[1:2] == ["send"] else None)
    except (Failed, WalCorrupt, WalLocked) as error:
        if sys.argv[1] in ("serve", "forward"):
            logging.getLogger("collector").error("%s", error)
        else:
            print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
