"""
### hourly

Brings today's live events into silver and the marts, so that boards show the day as it goes, and compares a sample of the
values that serving used today with the log.

It works up the UTC day in which the run begins, as far as the log was known then; `daily` restates the day when it is over. No
model is trained. It is the one DAG that is off at first: switch it on where the day so far is worth a Spark job an hour. A run
may be repeated at any time.
"""

from __future__ import annotations

from airflow.sdk import DAG, chain, task_group
from airflow.timetables.trigger import CronTriggerTimetable
from callbacks import done_within
from steps import OWNER, SHOPS, build_marts, build_silver, compare_online, list_groups, report, wait_for_day

TODAY = "{{ dag_run.run_after | ds }}"

with DAG(
    dag_id="hourly",
    schedule=CronTriggerTimetable("20 * * * *", timezone="UTC"),
    catchup=False,
    is_paused_upon_creation=True,
    max_active_runs=1,
    deadline=done_within(2),
    tags=["jishi", "hourly"],
    doc_md=__doc__,
    params={"shops": SHOPS},
    default_args={"owner": OWNER},
) as dag:

    @task_group(group_id="each_group", prefix_group_id=False)
    def each_group(group: dict[str, str]) -> None:
        """One group of shops."""
        build_silver(group, f"live-{TODAY}")

    complete, groups = wait_for_day(TODAY, hours=1), list_groups()
    compare = compare_online(TODAY)
    chain(complete, [groups, compare])
    each_group.expand(group=groups.output)
    marts = build_marts()
    chain(dag.get_task("silver"), marts)
    chain([marts, compare], report())
