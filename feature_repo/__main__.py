"""``python -m feature_repo apply|write|bootstrap|expire|materialize|training-set|daily|replay``; ``--help`` lists options."""

from __future__ import annotations

import argparse
import logging
import signal
import sys
import warnings
from datetime import UTC, datetime
from pathlib import Path
from threading import Event

import duckdb

from feature_repo.bootstrap import bootstrap
from feature_repo.expiry import expire
from feature_repo.materialize import MaterializationFailed, materialize
from feature_repo.replay import MessagesRefused, read_messages, replay, write_reads
from feature_repo.store import FeatureStoreNotApplied, apply, open_store
from feature_repo.training_set import build
from feature_repo.writer import FeatureSink, WriterProgress, run_writer
from feature_repo.writer_page import health, serve_pages
from jishi.heartbeat import beat
from jishi.json_logs import log_as_json
from jishi.kafka import KafkaCluster
from jishi.lake import TableNotPublished
from jishi.lake.reading import open_version
from jishi.lake.release import REFUSED
from jishi.paths import Paths
from jishi.settings import Settings, get_settings
from jishi.shop_runs import BadRunId, ShopRuns, add_run_options
from jishi.shops import Shops, UnknownShop
from jishi.text_tables import text_console

log = logging.getLogger("feature_writer")
NOTHING_TO_DO = 99  # Airflow takes this exit code for "skip"
_MENDABLE = (
    *(MaterializationFailed, FeatureStoreNotApplied, TableNotPublished, MessagesRefused, BadRunId, UnknownShop),
    *(OSError, duckdb.Error, *REFUSED),
)


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit code. An error that a user can mend is printed in one line."""
    parser = argparse.ArgumentParser(prog="python -m feature_repo", description="The feature store.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("apply", help="register entities, views and services; idempotent")
    commands.add_parser("write", help="daemon: feature topic → online store")
    rebuilt = commands.add_parser("bootstrap", help="newest backfilled values → online store, beside what it holds")
    tidied = commands.add_parser("expire", help="old rows out of the online store; the writer does it every hour")
    for parser_of in (rebuilt, tidied):
        parser_of.add_argument("--as-of", type=_instant, metavar="ISO", help="instant; now if left out")
    materialized = commands.add_parser("materialize", help="daily features → online store")
    joined = commands.add_parser("training-set", help="point-in-time join of labels and daily features")
    both = commands.add_parser("daily", help="materialize, then training-set, in one process")
    for parser_of in (materialized, both):
        parser_of.add_argument(
            "--as-of", type=_instant, required=True, metavar="ISO", help="newest rows at or before this instant"
        )
    for parser_of in (joined, both):
        parser_of.add_argument("--shop", action="append", default=[], metavar="SHOP", help="may repeat; default: every shop")
        add_run_options(parser_of)
    played = commands.add_parser("replay", help="messages in files → online store, read at given instants (for parity)")
    played.add_argument("--messages", type=Path, required=True, metavar="DIR", help="files of messages, as Flink's sink writes")
    played.add_argument("--at-ms", type=int, action="append", required=True, metavar="MS", help="epoch ms; may repeat")
    played.add_argument("--out", type=Path, required=True, metavar="FILE", help="JSON lines of what a reader gets")
    chosen = parser.parse_args(arguments)
    settings = get_settings()
    paths = Paths.of(settings)
    warnings.filterwarnings("ignore", category=DeprecationWarning, module="ibis")
    try:
        if chosen.command == "apply":
            applied = apply(settings, paths, open_version(settings))
            print(f"applied: streamed {', '.join(applied.streamed)}; daily {', '.join(applied.daily) or 'none published yet'}")
        elif chosen.command == "write":
            log_as_json("feature_writer")
            _write(settings, paths)
        elif chosen.command == "bootstrap":
            rebuilt_views = bootstrap(settings, paths, chosen.as_of or datetime.now(UTC))
            keys = sum(view.keys for view in rebuilt_views)
            print(f"bootstrapped {sum(view.written for view in rebuilt_views)} of {keys} rows; the store knew the others")
        elif chosen.command == "expire":
            now = chosen.as_of or datetime.now(UTC)
            for view, rows in expire(open_store(settings, paths), now, settings.online_keep_days).items():
                print(f"{view}: {rows} expired")
        elif chosen.command == "replay":
            reads = replay(settings, paths, read_messages(chosen.messages), chosen.at_ms)
            print(f"read {write_reads(reads, chosen.out)} values that are not defaults")
        if chosen.command == "daily" and open_version(settings).number == 0:
            print("feature_repo daily: the lake has no version yet: no shop has sent anything", file=sys.stderr)
            return NOTHING_TO_DO
        if chosen.command in ("materialize", "daily"):
            for done in materialize(settings, paths, chosen.as_of):
                none = "" if done.keys else f"; no row at or before {chosen.as_of.isoformat()}, is that right?"
                written = f"{done.keys} keys, {done.written} written, {done.refused} there already{none}"
                print(f"materialized {done.view}: {written}")
        if chosen.command in ("training-set", "daily"):
            return _training_sets(settings, paths, chosen)
    except _MENDABLE as error:
        reason = error.args[0] if isinstance(error, LookupError) else error
        if chosen.command == "write":
            log.error("%s", reason)
        else:
            print(f"feature_repo {chosen.command}: {reason}", file=sys.stderr)
        return 1
    return 0


def _training_sets(settings: Settings, paths: Paths, chosen: argparse.Namespace) -> int:
    shops = Shops.load(paths.shops_file)
    shop_ids = [shops.get(shop_id).shop_id for shop_id in chosen.shop] or shops.active
    training_sets, result = build(settings, paths, shop_ids, ShopRuns(paths, "training-set", chosen.run), after=chosen.after)
    for each in training_sets:
        covered = ", ".join(f"{view} {rows}" for view, rows in each.covered.items())
        print(f"training set of {each.shop_id}: {each.rows} labels; with features: {covered}; no leak")
    result.show(text_console())
    return result.exit_code


def _write(settings: Settings, paths: Paths) -> None:
    stop = Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: stop.set())
    progress = WriterProgress()
    pages = serve_pages(settings.host, settings.feature_writer_port, progress)

    def open_sink() -> FeatureSink:
        apply(settings, paths, open_version(settings))
        return FeatureSink(open_store(settings, paths), paths.features, progress)

    try:
        run_writer(
            KafkaCluster.of(settings),
            open_sink,
            progress,
            stop,
            beat=lambda: beat(paths, "feature_writer", whose="", **health(progress, datetime.now(UTC).timestamp())),
            keep_days=settings.online_keep_days,
        )
    finally:
        pages.shutdown()
    log.info("stopped after %d messages, %d written", progress.messages, progress.written)


def _instant(text: str) -> datetime:
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not an ISO 8601 instant such as 2026-11-01T00:00:00Z") from None
    return instant if instant.tzinfo is not None else instant.replace(tzinfo=UTC)


if __name__ == "__main__":
    sys.exit(main())
