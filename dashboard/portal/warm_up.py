"""Ask the metric layer before a merchant does: its first question takes seconds, each further one hundredths of one."""

from __future__ import annotations

import logging
import threading

from dashboard.portal.published_marts import MartsBuild, MetricQuestion, MetricsUnreadable, PublishedMarts
from jishi.lake import TableNotPublished

log = logging.getLogger(__name__)
LOOK_EVERY_S = 60.0


class WarmUp:
    """A thread that warms each build of the marts once: at the start of a portal, and after each publication.

    One that fails is logged and leaves the pages as they would be without it.
    """

    def __init__(self, marts: PublishedMarts, look_every_s: float = LOOK_EVERY_S) -> None:
        self._marts, self._look_every_s = marts, look_every_s
        self._ended = threading.Event()
        self._warmed: MartsBuild | None = None

    def start(self) -> None:
        """Begin, without waiting for anything."""
        threading.Thread(target=self._run, name="warm-up", daemon=True).start()

    def stop(self) -> None:
        """End after the question that is being asked."""
        self._ended.set()

    def look(self) -> bool:
        """Warm the newest build unless it is; False when there is none, or the metric layer cannot be asked."""
        try:
            build = self._marts.newest()
            if build is self._warmed:
                return True
            self._warmed = build  # a build that fails would fail each time
            warm(build)
        except TableNotPublished as error:
            level = logging.ERROR if isinstance(error, MetricsUnreadable) else logging.DEBUG
            log.log(level, "nothing to warm up: %s", error)
            return False
        except Exception:  # whatever it is, the pages say it better to whom it concerns
            log.exception("the metric layer was not warmed up")
            return False
        return True

    def _run(self) -> None:
        while not self._ended.is_set():
            self.look()
            self._ended.wait(self._look_every_s)


def warm(build: MartsBuild) -> None:
    """Ask for the SQL and the dimensions of a metric, so that the engine is there. Raises what a page would."""
    for metric in sorted(build.metrics)[:1]:
        build.metric_sql(MetricQuestion((metric,)))
        build.dimensions(metric)
