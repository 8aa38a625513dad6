"""
### weekly

Writes the digest of the week that ended, for every shop of the registry, and sends it to the shop's receivers. Beside it the
operators' week: forecasts against what happened, drift of features and event mix against the week before, then compaction of
the lake and expiry of what is older than its rule (which `maintenance` also does, more often).

It runs on Tuesday, after the `daily` that works up the last hours of Sunday west of Greenwich. For another week trigger it with
`date`, any day of it. A receiver gets a week once, so a run may be repeated at any time; it tries again who did not answer.
"""

from __future__ import annotations

from airflow.sdk import DAG, Param, TriggerRule, chain, task_group
from airflow.timetables.trigger import CronTriggerTimetable
from callbacks import done_within
from steps import (
    OWNER,
    SHOPS,
    backtest_forecasts,
    compact_lake,
    expire_files,
    list_groups,
    measure_drift,
    report,
    send_digests,
)

DAY = "{{ params.date or macros.ds_add(dag_run.run_after | ds, -7) }}"

with DAG(
    dag_id="weekly",
    schedule=CronTriggerTimetable("0 3 * * 2", timezone="UTC"),
    catchup=False,
    is_paused_upon_creation=False,
    max_active_runs=1,
    deadline=done_within(4),
    tags=["jishi", "weekly"],
    doc_md=__doc__,
    params={
        "date": Param(None, type=["null", "string"], format="date", description="a day of the week; empty: the week before"),
        "shops": SHOPS,
    },
    default_args={"owner": OWNER},
) as dag:

    @task_group(group_id="each_group", prefix_group_id=False)
    def each_group(group: dict[str, str]) -> None:
        """One group of shops."""
        send_digests(group, DAY)

    each_group.expand(group=list_groups().output)
    measures = [backtest_forecasts(), measure_drift(DAY)]
    compaction = compact_lake(TriggerRule.ALL_DONE)
    expiry = expire_files(TriggerRule.ALL_DONE)
    chain(measures, compaction, expiry)
    chain([dag.get_task("digest"), expiry], report())
