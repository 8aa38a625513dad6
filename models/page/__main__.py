"""``python -m models.page --out DIR [REPORT.json …]``: the comparison page, ``DIR/index.html``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from jishi.files import write_atomically
from jishi.paths import Paths
from jishi.settings import get_settings
from models.page.cards import read_cards
from models.page.document import render
from models.page.reports import BadReport, group_runs, read_run
from models.release.artefact import CorruptArtefact


def main() -> int:
    """Write the page; an error that a user can mend is printed in one sentence, with exit code 1."""
    parser = argparse.ArgumentParser(
        prog="jishi evaluate page", description="Compare reports of jishi evaluate, with the cards of this platform's releases."
    )
    parser.add_argument("reports", type=Path, nargs="*", metavar="REPORT.json", help="written by jishi evaluate … --json")
    parser.add_argument("--out", type=Path, required=True, help="folder for index.html")
    parser.add_argument("--no-cards", action="store_true", help="leave out the releases in var/models")
    asked = parser.parse_args()
    paths = Paths.of(get_settings())
    try:
        comparisons = group_runs([read_run(file) for file in asked.reports])
        cards = [] if asked.no_cards else read_cards(paths.models, paths.history)
    except (BadReport, CorruptArtefact, FileNotFoundError) as error:
        print(f"evaluate page: {error}", file=sys.stderr)
        return 1
    if not comparisons and not cards:
        print("evaluate page: no report was given and no model is released; there is nothing to show", file=sys.stderr)
        return 1
    asked.out.mkdir(parents=True, exist_ok=True)
    page = asked.out / "index.html"
    write_atomically(page, render(comparisons, cards))
    print(f"{sum(len(comparison.runs) for comparison in comparisons)} reports and {len(cards)} model cards → {page}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
