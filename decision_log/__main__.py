"""``python -m decision_log``: the topic of decisions → ``bronze/decisions`` and ``silver/decisions``, of all shops at once."""

from __future__ import annotations

import argparse
import sys
import time
from datetime import UTC, datetime

from decision_log.audit import DaysUnfit
from decision_log.job import build_decisions
from decision_log.topic import TopicReader, TopicUnreachable
from jishi.kafka import KafkaCluster
from jishi.lake.release import REFUSED
from jishi.settings import get_settings


def main() -> int:
    """Exit code 1 when nothing could be published; the message says why."""
    parser = argparse.ArgumentParser(prog="python -m decision_log", description=__doc__)
    parser.add_argument("--without-topic", action="store_true", help="only build anew what newer events concern")
    chosen, settings, began = parser.parse_args(), get_settings(), time.monotonic()
    log = None if chosen.without_topic else TopicReader(KafkaCluster.of(settings))
    try:
        built = build_decisions(settings, log, datetime.now(UTC))
    except (DaysUnfit, TopicUnreachable, *REFUSED) as error:
        print(f"decision_log: {error}", file=sys.stderr)
        return 1
    if built.lost:
        print(f"{built.lost:,} records were older than the topic keeps before they were read", file=sys.stderr)
    if built.why_all is not None:
        print(f"every day of bronze is built anew: {built.why_all}")
    if built.version is None:
        print("nothing new")
    else:
        print(
            f"version {built.version}: {built.landed:,} records landed; {len(built.days)} days built, "
            f"{built.places:,} places of lists, {built.kept_out:,} records kept out ({time.monotonic() - began:.1f} s)"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
