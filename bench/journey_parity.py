"""``jishi bench journey_parity``: every feature in every engine, over all the history of Complete Journey, against the oracle.

The households are dealt into parts, and each part is a log of its own: all its households' events from first to last, so that
every event of the data set is in exactly one of them. Features of items and of the shop are then those of the part's purchases.
A part at a time keeps memory and time within bounds. With ``--record`` each proved part is a line of that file and is not
proved again, so that the whole can be done in many short runs.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench import user_path
from imports.journey import SHOP, SOURCE, Journey, journey_lines, load_journey, part_of
from jishi.landing import write_landing
from jishi.settings import get_settings
from quality.parity.engines import ENGINES, prepared_log
from quality.parity.prove import explained, prove_parity

# A part is long enough for the optimising compiler, which the live job on a small machine does without.
JVM = "-Xms512m -Xmx3g -XX:+UseSerialGC"
SUMS = ("households", "lines", "events", "acts", "values", "differ", "seconds")


def prove_part(journey: Journey, part: int, parts: int, engines: list[str], folder: Path) -> dict[str, Any]:
    """Run the oracle and the engines over one part and count what differs; differences are explained on standard error."""
    began, settings = time.monotonic(), get_settings()
    chosen = part_of(journey, part, parts)
    with write_landing(folder, "journey", SHOP, SOURCE) as writer:
        writer.write(journey_lines(chosen, "journey"))
    with prepared_log(folder, settings) as log:
        proof = prove_parity(
            log, engines, stores=[], settings=settings, progress=lambda line: print(line, file=sys.stderr, flush=True)
        )
        for paragraph in explained(proof, log, settings):
            print(paragraph, file=sys.stderr)
    features = next(iter(proof.engines.values())).values()
    return {
        "part": part,
        "parts": parts,
        "engines": engines,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "households": int(chosen.transactions["household_id"].nunique()),
        "lines": len(chosen.transactions),
        "events": proof.records,
        "acts": proof.acts,
        "values": proof.rows,
        "features_with_values": sum(feature.rows > 0 for feature in features),
        "differ": proof.different,
        "seconds": round(time.monotonic() - began),
    }


def proved(record: Path | None, parts: int, engines: list[str]) -> dict[int, dict[str, Any]]:
    """What the record says of each part of this division into ``parts``; the newest line counts."""
    if record is None or not record.exists():
        return {}
    entries = [json.loads(line) for line in record.read_text().splitlines()]
    return {line["part"]: line for line in entries if line["parts"] == parts and line["engines"] == engines}


def main() -> int:
    """Prove the parts one after the other, a line of JSON each; exit code 1 on any difference, recorded ones included."""
    parser = argparse.ArgumentParser(prog="jishi bench journey_parity", description=__doc__)
    parser.add_argument("--parts", type=int, default=10, help="into how many the households are dealt (%(default)s)")
    parser.add_argument("--part", type=int, action="append", help="from 0; may repeat; all if left out")
    parser.add_argument("--engine", choices=[name for name in ENGINES if name != "oracle"], action="append", help="may repeat")
    parser.add_argument("--record", type=user_path, help="file of proved parts, which are left out; new ones are added")
    parser.add_argument("--at-most", type=int, help="of the parts not yet proved")
    parser.add_argument("--folder", type=user_path, help="where landing files are written; a temporary folder if left out")
    chosen = parser.parse_args()
    engines = chosen.engine or [name for name in ENGINES if name != "oracle"]
    os.environ.setdefault("JISHI_FLINK_JVM", JVM)
    done = proved(chosen.record, chosen.parts, engines)
    due = [part for part in chosen.part or range(chosen.parts) if part not in done][: chosen.at_most]
    journey = load_journey() if due else None
    for part in due:
        assert journey is not None
        with tempfile.TemporaryDirectory(prefix="jishi-journey-", dir=chosen.folder) as name:
            done[part] = prove_part(journey, part, chosen.parts, engines, Path(name))
        print(json.dumps(done[part]), flush=True)
        if chosen.record:
            with chosen.record.open("a", encoding="utf-8") as file:
                file.write(json.dumps(done[part]) + "\n")
    totals = {key: sum(part_result[key] for part_result in done.values()) for key in SUMS}
    print(json.dumps({"engines": engines, "parts": f"{len(done)} of {chosen.parts}", "total": totals}))
    return 1 if totals["differ"] else 0


if __name__ == "__main__":
    sys.exit(main())
