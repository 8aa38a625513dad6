"""``python -m models.release list|rollback|resume SHOP``: a shop's releases, and the way back (``jishi models``)."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from datetime import UTC, datetime

from rich.console import Console

from jishi.paths import Paths
from jishi.settings import get_settings
from jishi.shops import Shops, UnknownShop
from jishi.text_tables import TextTable, text_console
from models.release.artefact import CorruptArtefact
from models.release.rollback import ListedRelease, NoWayBack, listed, resume, roll_back
from models.release.switches import operator

_STYLES = {"in use": "green", "withdrawn": "red", "refused": "red"}


def show(shop_id: str, releases: list[ListedRelease], console: Console) -> None:
    """A table of releases: what answers each placement, with NDCG@10 of its list as served, and why it stands where it does."""
    if not releases:
        console.print(f"{shop_id}: no release is kept")
        return
    table = TextTable("release", "state", "published (UTC)", "acts until", "models, NDCG@10 as served", "why", title=shop_id)
    for each in releases:
        figures = [f"{place}: {model}" + ("" if m is None else f" {m:.4f}") for place, (model, m) in each.placements.items()]
        published = "" if each.published_at is None else f"{each.published_at:%Y-%m-%d %H:%M}"
        acts = (each.trained_to or "")[:16].replace("T", " ")
        state = f"[{_STYLES[each.state]}]{each.state}[/]" if each.state in _STYLES else each.state
        table.add_row(each.version, state, published, acts, "\n".join(figures), each.sentence, end_section=True)
    console.print(table, highlight=False)


def main(arguments: list[str] | None = None) -> int:
    """Run one command; the exit code: 0, or 1 after a sentence that says what to do."""
    parser = argparse.ArgumentParser(prog="jishi models", description="Releases of a shop's models, and the way back.")
    commands = parser.add_subparsers(dest="command", required=True)
    list_ = commands.add_parser("list", help="kept releases with their figures, the one in use, and why others are not")
    back = commands.add_parser("rollback", help="put an older release in use; serving follows within seconds")
    resumes = commands.add_parser("resume", help="let candidates be published again after rollback --hold")
    for each in (list_, back, resumes):
        each.add_argument("shop")
    list_.add_argument("--json", action="store_true", help="print them as JSON")
    back.add_argument("version", nargs="?", help="as list shows it; left out: the one published before the one in use")
    back.add_argument("--note", default="", help="why, for the list and the next night")
    back.add_argument("--hold", action="store_true", help="publish no candidate at all until: jishi models resume SHOP")
    chosen = parser.parse_args(arguments)
    paths, now = Paths.of(get_settings()), datetime.now(UTC)
    try:
        shop_id = Shops.load(paths.shops_file).get(chosen.shop).shop_id
        if chosen.command == "list":
            releases = listed(paths.models, shop_id)
            if chosen.json:
                print(json.dumps([asdict(each) for each in releases], ensure_ascii=False, indent=2, default=str))
            else:
                show(shop_id, releases, text_console())
        elif chosen.command == "resume":
            print(f"{shop_id}: candidates are published again; release {resume(paths.models, shop_id, by=operator(), now=now)}")
        else:
            went = roll_back(paths.models, shop_id, chosen.version, by=operator(), now=now, note=chosen.note, holds=chosen.hold)
            for reason in went.passed_over:
                print(f"passed over: {reason}", file=sys.stderr)
            later = "no candidate is published until: jishi models resume" if chosen.hold else "its candidate is withdrawn"
            print(f"{shop_id}: release {went.version} is in use, {went.before} is not; {later}")
    except (UnknownShop, NoWayBack, CorruptArtefact) as error:
        print(f"error: {error.args[0]}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
