"""Every alert: those of the objectives' budgets, and those of what an objective would notice too late."""

from __future__ import annotations

from dataclasses import dataclass

from ops.monitoring.objectives import BURNS, OBJECTIVES, Burn, Objective


@dataclass(frozen=True)
class OperationsAlert:
    """``expression`` is PromQL that has a value while something is wrong; it has to be for ``lasts`` before anybody is told."""

    name: str
    expression: str
    lasts: str
    severity: str
    summary: str
    runbook: str


def _burning(objective: Objective, burn: Burn) -> OperationsAlert:
    limit = f"{burn.rate * objective.budget:.6g}"
    windows = [f"({objective.bad_over(window)}) > {limit}" for window in (burn.long, burn.short)]
    enough = objective.enough_over(burn.long)
    return OperationsAlert(
        f"Jishi{objective.name.capitalize()}Burns{burn.rate:g}x".replace(".", "_"),
        " and ".join([*windows, enough] if enough else windows),
        "2m" if burn.severity == "page" else "15m",
        burn.severity,
        f"The budget of {objective.name} ({objective.promised:.2%}) burns {burn.rate:g} times as fast as it may.",
        objective.name,
    )


STATES = (
    OperationsAlert(
        "JishiPartDown", "jishi_part_up == 0", "2m", "page", "The part {{ $labels.part }} does not run.", "part-down"
    ),
    OperationsAlert(
        "JishiPartSilent",
        "jishi_part_heartbeat_age_seconds > 60",
        "2m",
        "page",
        "The part {{ $labels.part }} runs and gives no sign of life.",
        "part-silent",
    ),
    OperationsAlert(
        "JishiNotWatched",
        'up{job="jishi"} == 0',
        "2m",
        "page",
        "The metrics of {{ $labels.instance }} do not answer.",
        "not-watched",
    ),
    OperationsAlert(
        "JishiServingWorkerSilent",
        "jishi_serving_silent_workers > 0",
        "2m",
        "page",
        "A process of serving gives no sign of life; requests that it takes wait.",
        "part-silent",
    ),
    OperationsAlert(
        "JishiWatchProblem",
        "jishi_watch_problems > 0",
        "15m",
        "ticket",
        "jishi watch has found something in its check {{ $labels.check }}; operators have been told what.",
        "watch",
    ),
    OperationsAlert(
        "JishiWatchSilent",
        "jishi_watch_age_seconds > 3600",
        "5m",
        "ticket",
        "jishi watch has not looked for an hour.",
        "watch",
    ),
    OperationsAlert(
        "JishiStreamRestarts",
        "increase(jishi_flink_restarts[30m]) > 3",
        "0m",
        "page",
        "The stream restarts again and again.",
        "stream-restarts",
    ),
    OperationsAlert(
        "JishiCheckpointsFail",
        "increase(jishi_flink_checkpoints[30m]) == 0 and jishi_flink_running == 1",
        "5m",
        "page",
        "The stream has made no checkpoint for half an hour: bronze gets no rows.",
        "checkpoints-fail",
    ),
    OperationsAlert(
        "JishiDiskFull",
        "jishi_disk_free_bytes / jishi_disk_bytes < 0.05",
        "5m",
        "page",
        "Less than a twentieth of the disk is free.",
        "disk-full",
    ),
    OperationsAlert(
        "JishiDiskFullSoon",
        "predict_linear(jishi_disk_free_bytes[6h], 3 * 86400) < 0",
        "1h",
        "ticket",
        "As it fills now, the disk is full within three days.",
        "disk-full",
    ),
    OperationsAlert(
        "JishiDiskFailing", "jishi_collector_disk_failing == 1", "1m", "page", "The collector cannot write events.", "disk-full"
    ),
    OperationsAlert(
        "JishiMartsStale",
        "jishi_marts_age_seconds > 129600",
        "30m",
        "ticket",
        "No marts were published for a day and a half.",
        "marts-stale",
    ),
    OperationsAlert(
        "JishiParityStale",
        "jishi_online_parity_waiting_seconds > 43200",
        "30m",
        "ticket",
        "Half a day after a day's end nobody has compared what serving used with the log.",
        "parity-stale",
    ),
    OperationsAlert(
        "JishiReleaseUnusable",
        "increase(jishi_release_load_failures_total[1h]) > 0",
        "0m",
        "ticket",
        "Serving could not load a release and goes on with the one before.",
        "release-unusable",
    ),
    OperationsAlert(
        "JishiFeatureMessagesDead",
        "increase(jishi_feature_messages_dead_total[1h]) > 0",
        "0m",
        "ticket",
        "The feature writer could not read messages.",
        "feature-messages-dead",
    ),
)
ALERTS = (*(_burning(objective, burn) for objective in OBJECTIVES for burn in BURNS), *STATES)
