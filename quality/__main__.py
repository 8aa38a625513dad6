"""``python -m quality repair``: quarantined events, through a mapping, back into the good stream."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import orjson
import typer

from jishi.lake.release import REFUSED
from jishi.paths import Paths
from jishi.settings import get_settings
from jishi.shops import Shops, UnknownShop
from quality.repair import MappingError, load_mapping
from quality.replay import replay

app = typer.Typer(add_completion=False, no_args_is_help=True, help=__doc__, pretty_exceptions_enable=False)


@app.callback(help=__doc__)
def quality() -> None:
    """Group of the commands."""


@app.command()
def repair(
    map_file: Annotated[Path, typer.Argument(help="mapping (YAML or JSON), see docs/quarantine.md")],
    shop: Annotated[str | None, typer.Option(help="only this shop")] = None,
    trial: Annotated[bool, typer.Option("--trial", help="write nothing")] = False,
) -> None:
    """Quarantined events, through a mapping → bronze/repairs; prints counts and the batches to build anew as JSON."""
    settings = get_settings()
    paths = Paths.of(settings)
    if shop is not None:
        Shops.load(paths.shops_file).get(shop)
    replayed = replay(
        settings,
        load_mapping(map_file),
        now=datetime.now(UTC),
        future_tolerance_s=settings.future_tolerance_s,
        shop=shop,
        is_trial=trial,
    )
    print(orjson.dumps(replayed).decode())


def main() -> int:
    """Run the command; what a user can mend is one sentence, with exit code 2."""
    try:
        app(standalone_mode=True)
    except (MappingError, UnknownShop, *REFUSED) as error:
        print(f"error: {error.args[0]}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
