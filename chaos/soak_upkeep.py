"""``python -m chaos.soak_upkeep HOUR_S``: the upkeep of the lake in which an hour has so many seconds.

The job itself is ``spark_jobs maintain``; only its clock is ahead, so that what is kept for an hour is bounded within minutes.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta

from jishi.paths import Paths
from jishi.settings import get_settings
from spark_jobs.maintenance import drop_versions, maintain
from spark_jobs.session import open_session


def main(hour_s: float) -> None:
    """Run once."""
    settings = get_settings()
    session = open_session(settings, Paths.of(settings), "jishi-maintain")
    now = (datetime.now(UTC) + timedelta(seconds=3600 - hour_s)).replace(tzinfo=None)
    print(f"forgot versions {drop_versions(settings, now)}")
    maintain(session, settings, (), now, print, print)


if __name__ == "__main__":
    main(float(sys.argv[1]))
