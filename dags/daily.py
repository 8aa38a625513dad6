"""
### daily

Works up the live events of one UTC day, for every shop of the registry: rebuilds the tables that the day touches from what the
stream appended to bronze, joins serving's decisions with what became of them, checks by ids that nothing acknowledged is
missing, and trains, compares and releases models.

Each day has one run, its partition. It waits until bronze has all of the day, and restates earlier days of which more has come
since they were worked up. Nights that were missed are caught up one by one, the oldest first. For a repair trigger it with
`date`, and `shops` where only some are meant; any day may be run again: its batch is decided from itself and the batches before
it, so the rows come out the same.
"""

from __future__ import annotations

from airflow.sdk import DAG, CronPartitionTimetable, chain, task_group
from callbacks import done_within
from steps import (
    BRONZE,
    DATE,
    DAY,
    MARTS,
    NEXT_DAY,
    OWNER,
    SHOPS,
    SINCE,
    build_marts,
    build_silver,
    check_alerts,
    forecast_customers,
    join_decisions,
    list_groups,
    model_steps,
    reconcile_day,
    report,
    send_lineage,
    serve_features,
    wait_for_day,
)

with DAG(
    dag_id="daily",
    schedule=CronPartitionTimetable("0 0 * * *", timezone="UTC", run_offset=-1, key_format="%Y-%m-%d"),
    start_date=SINCE,
    catchup=SINCE is not None,
    is_paused_upon_creation=False,
    max_active_runs=1,
    deadline=done_within(8),
    tags=["jishi", "daily"],
    doc_md=__doc__,
    params={"date": DATE, "shops": SHOPS},
    default_args={"owner": OWNER},
) as dag:

    @task_group(group_id="each_group", prefix_group_id=False)
    def each_group(group: dict[str, str]) -> None:
        """One group of shops, from the day's bronze to its releases."""
        chain(build_silver(group, f"live-{DAY}", after=" --restate"), *model_steps(group))

    complete, groups = wait_for_day(DAY, hours=6, outlets=[BRONZE]), list_groups()
    chain(complete, groups)
    each_group.expand(group=groups.output)
    marts, features = build_marts(outlets=[MARTS]), serve_features(f"{NEXT_DAY}T00:00:00Z")
    forecast = forecast_customers()
    alerts = check_alerts()
    chain(dag.get_task("silver"), join_decisions(), marts, [features, forecast, alerts])
    reconcile, lineage = reconcile_day(DAY), send_lineage()
    chain(marts, lineage)
    chain(dag.get_task("silver"), reconcile)
    chain([features, forecast, alerts, lineage, dag.get_task("publish"), reconcile], report())
