"""``jishi bench journey_parity``: every feature in every engine, over all the history of Complete Journey, against the oracle.

The households are dealt into parts, and each part is a log of its own: all its households' events from first to last, so that
every event of the data set is in exactly one of them. Features of items and of the shop are then those of the part's purchases.
A part at a time keeps memory and time within bounds; ``--part`` runs one.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from bench import user_path
from collector.landing.journey import SHOP, SOURCE, Journey, journey_lines, load_journey, part_of
from jishi.landing import write_landing
from jishi.parity.engines import ENGINES, prepared_log
from jishi.parity.prove import explained, prove
from jishi.settings import get_settings


def prove_part(journey: Journey, part: int, parts: int, engines: list[str], folder: Path) -> dict[str, Any]:
    """Run the oracle and the engines over one part and count what differs; differences are explained on standard error."""
    began, settings = time.monotonic(), get_settings()
    chosen = part_of(journey, part, parts)
    with write_landing(folder, "journey", SHOP, SOURCE) as writer:
        writer.write(journey_lines(chosen, "journey"))
    with prepared_log(folder, settings) as log:
        proof = prove(log, engines, with_online=False, settings=settings, tell=lambda line: print(line, file=sys.stderr))
        for paragraph in explained(proof, log, settings):
            print(paragraph, file=sys.stderr)
    features = next(iter(proof.engines.values())).values()
    return {
        "part": part,
        "households": int(chosen.transactions["household_id"].nunique()),
        "lines": len(chosen.transactions),
        "events": proof.records,
        "acts": proof.acts,
        "values": proof.rows,
        "features_with_values": sum(feature.rows > 0 for feature in features),
        "differ": proof.different,
        "seconds": round(time.monotonic() - began),
    }


def main() -> int:
    """Prove the parts one after the other, a line of JSON each; exit code 1 on any difference."""
    parser = argparse.ArgumentParser(prog="jishi bench journey_parity", description=__doc__)
    parser.add_argument("--parts", type=int, default=40, help="into how many the households are dealt")
    parser.add_argument("--part", type=int, action="append", help="from 0; may repeat; all if left out")
    parser.add_argument("--engine", choices=[name for name in ENGINES if name != "oracle"], action="append", help="may repeat")
    parser.add_argument("--folder", type=user_path, help="where landing files are written; a temporary folder if left out")
    chosen = parser.parse_args()
    engines = chosen.engine or [name for name in ENGINES if name != "oracle"]
    journey = load_journey()
    totals = dict.fromkeys(("households", "lines", "events", "acts", "values", "differ", "seconds"), 0)
    for part in chosen.part or range(chosen.parts):
        with tempfile.TemporaryDirectory(prefix="jishi-journey-", dir=chosen.folder) as name:
            told = prove_part(journey, part, chosen.parts, engines, Path(name))
        print(json.dumps(told), flush=True)
        totals = {key: total + told[key] for key, total in totals.items()}
    print(json.dumps({"engines": engines, "total": totals}))
    return 1 if totals["differ"] else 0


if __name__ == "__main__":
    sys.exit(main())
