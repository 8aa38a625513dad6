"""
### daily

Works up the live events of one UTC day, for every shop of the registry: rebuilds the tables that the day touches from what the
stream appended to bronze, joins serving's decisions with what became of them, checks by ids that nothing acknowledged is
missing, and trains, compares and releases models.

It runs every night for the day before. For a repair trigger it with `date`, and `shops` where only some are meant; any day may
be run again: the day's batch is decided from itself and the batches before it, so the rows come out the same.
"""

from __future__ import annotations

from airflow.sdk import DAG, Param, chain, task_group
from airflow.timetables.trigger import CronTriggerTimetable
from steps import (
    OWNER,
    SHOPS,
    build_marts,
    build_silver,
    check_alerts,
    forecast_customers,
    join_decisions,
    list_groups,
    model_steps,
    reconcile_day,
    report,
    serve_features,
)

# ``run_after`` is there for every run, by schedule or by hand, and clearing a task does not change it.
_DAY = "params.date or macros.ds_add(dag_run.run_after | ds, -1)"
DAY = f"{{{{ {_DAY} }}}}"
NEXT_DAY = f"{{{{ macros.ds_add({_DAY}, 1) }}}}"

with DAG(
    dag_id="daily",
    schedule=CronTriggerTimetable("15 0 * * *", timezone="UTC"),
    catchup=False,
    max_active_runs=1,
    tags=["jishi", "daily"],
    doc_md=__doc__,
    params={
        "date": Param(None, type=["null", "string"], format="date", description="UTC date to work up; empty: the day before"),
        "shops": SHOPS,
    },
    default_args={"owner": OWNER},
) as dag:

    @task_group(group_id="each_group", prefix_group_id=False)
    def each_group(group: dict[str, str]) -> None:
        """One group of shops, from the day's bronze to its releases."""
        chain(build_silver(group, f"live-{DAY}"), *model_steps(group))

    each_group.expand(group=list_groups().output)
    marts, features = build_marts(), serve_features(f"{NEXT_DAY}T00:00:00Z")
    forecast = forecast_customers()
    alerts = check_alerts()
    chain(dag.get_task("silver"), join_decisions(), marts, [features, forecast, alerts])
    reconcile = reconcile_day(DAY)
    chain(dag.get_task("silver"), reconcile)
    chain([features, forecast, alerts, dag.get_task("publish"), reconcile], report())
