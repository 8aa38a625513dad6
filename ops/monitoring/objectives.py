"""Service level objectives as data, each as a share of what went well.

Alerts follow by the burn of the error budget over a long and a short window (Google, The Site Reliability Workbook, chapter 5).
"""

from __future__ import annotations

from dataclasses import dataclass

# Of a quiet shop's few requests one is a large share: so many have to fail before anybody is told.
LEAST_FAILED = 10


@dataclass(frozen=True)
class Objective:
    """``promised`` is the share that goes well. Over the window ``{w}``, in PromQL, ``failed`` of ``asked`` went wrong.

    ``recorded``, where time is what counts, is 1 while it is bad and 0 else, and recorded as ``jishi:NAME_bad``.
    """

    name: str
    meaning: str
    promised: float
    failed: str = ""
    asked: str = ""
    recorded: str = ""

    def bad_over(self, window: str) -> str:
        """PromQL of the bad share over a window such as ``1h``."""
        share = f"avg_over_time({self.record}[{{w}}])" if self.recorded else f"({self.failed}) / ({self.asked})"
        return share.replace("{w}", window)

    def enough_over(self, window: str) -> str:
        """PromQL that has a value where so much failed over a window that a share says something; of time always."""
        return "" if self.recorded else f"({self.failed}) >= {LEAST_FAILED}".replace("{w}", window)

    @property
    def record(self) -> str:
        """Name of what is recorded."""
        return f"jishi:{self.name}_bad"

    @property
    def budget(self) -> float:
        """The share that may go wrong."""
        return round(1 - self.promised, 6)


@dataclass(frozen=True)
class Burn:
    """The budget of 30 days burns ``rate`` times as fast as it may, over both windows."""

    rate: float
    long: str
    short: str
    severity: str


BURNS = (
    Burn(14.4, "1h", "5m", "page"),  # 2 % of the budget in an hour
    Burn(6, "6h", "30m", "page"),  # 5 % in six hours
    Burn(1, "3d", "6h", "ticket"),  # 10 % in three days
)


def _or_zero(metric: str) -> str:
    return f"(sum({metric}) or vector(0))"


def _any_bad(*conditions: str) -> str:
    """1 while one of these is above 0, else 0. A condition without a value is none, so each has to have one while it holds."""
    return f"clamp_max({' + '.join(f'({condition} or vector(0))' for condition in conditions)}, 1)"


def _silent(*parts: str) -> tuple[str, str]:
    """Parts that the supervisor does not keep up, or that give no sign of life: what they said last says nothing."""
    of_parts = f'{{part=~"{"|".join(parts)}"}}'
    return f"sum(jishi_part_up{of_parts} == bool 0)", f"sum(jishi_part_heartbeat_age_seconds{of_parts} > bool 60)"


def _unknown(metric: str) -> str:
    """Nobody says how it is, and somebody did within three days: a part that was taken away for good counts no longer."""
    return f"(absent({metric}) and max_over_time(count({metric})[3d:5m]))"


# Neither the supervisor's question nor files that never fail: they would hide pages that do.
_OF_PEOPLE = 'page!~"/healthz|/static/.*"'
OBJECTIVES = (
    Objective(
        "answers",
        "Requests for recommendations that are answered, with whatever rung, and not by a failure of ours.",
        0.9995,
        # A shop that asks before it has any items is told so; that is no failure.
        'sum(increase(jishi_recommendation_requests_total{status=~"5..",served_by!="no_items"}[{w}]))',
        "sum(increase(jishi_recommendation_requests_total[{w}]))",
    ),
    Objective(
        "latency",
        "Answers within 0.1 s: the 99th percentile lies below it.",
        0.99,
        "sum(increase(jishi_recommendation_seconds_count[{w}])) - "
        'sum(increase(jishi_recommendation_seconds_bucket{le="0.1"}[{w}]))',
        "sum(increase(jishi_recommendation_seconds_count[{w}]))",
    ),
    Objective(
        "intake",
        "Requests with events that are not refused for a fault of ours; a group of events is written in one go.",
        0.9995,
        'sum(increase(jishi_collector_refused_requests_total{code=~"backlog_full|disk_failing|internal"}[{w}]))',
        "sum(increase(jishi_collector_refused_requests_total[{w}])) + sum(increase(jishi_collector_group_events_count[{w}]))",
    ),
    Objective(
        "pages",
        "Pages of the portal that are answered, and not by a failure of ours.",
        0.999,
        f'sum(increase(jishi_portal_requests_total{{status=~"5..",{_OF_PEOPLE}}}[{{w}}]))',
        f"sum(increase(jishi_portal_requests_total{{{_OF_PEOPLE}}}[{{w}}]))",
    ),
    Objective(
        "freshness",
        "Minutes in which live features and serving are known to follow the log: fewer than 1,000 messages behind.",
        0.995,
        recorded=_any_bad(
            f"({_or_zero('jishi_feature_lag_messages')} + {_or_zero('jishi_serving_stream_lag_records')} > bool 1000)",
            "sum(jishi_flink_running == bool 0)",
            *_silent("flink", "feature_writer", "serving"),
            *map(_unknown, ("jishi_feature_lag_messages", "jishi_serving_stream_lag_records", "jishi_flink_running")),
        ),
    ),
    Objective(
        "completeness",
        "Minutes in which what is acknowledged is known to be in the event log: fewer than 1,000 events behind, none damaged.",
        0.999,
        recorded=_any_bad(
            "sum(jishi_forwarder_lag_events + 1000 * jishi_forwarder_damaged_entries > bool 999)",
            *_silent("forwarder"),
            _unknown("jishi_forwarder_lag_events"),
        ),
    ),
    Objective(
        "quarantine",
        "Events that keep the contract.",
        0.99,
        "sum(increase(jishi_collector_quarantined_events_total[{w}]))",
        "sum(increase(jishi_collector_accepted_events_total[{w}]))",
    ),
    Objective(
        "parity",
        "Hours in which, by the newest day's report, of no feature more than 1 % of the values that serving used were wrong.",
        0.99,
        # A report that is too old has no value: then JishiParityStale fires.
        recorded="jishi_online_parity_wrong_ratio > bool 0.01",
    ),
)
