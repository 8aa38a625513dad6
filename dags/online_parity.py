"""
### online_parity

Compares a sample of the feature values that serving used on one UTC day with what the log of that day says, and fails when too
many values of a feature were wrong.

It runs every night for the day before, after `daily` has landed that day. For another day trigger it with `date`; a day may be
compared again at any time and replaces its rows in the lake table `features/online_parity`.
"""

from __future__ import annotations

from airflow.sdk import DAG, Param
from airflow.timetables.trigger import CronTriggerTimetable
from steps import MAIN, OWNER, PARITY, step

DAY = "{{ params.date or macros.ds_add(dag_run.run_after | ds, -1) }}"

with DAG(
    dag_id="online_parity",
    schedule=CronTriggerTimetable("15 1 * * *", timezone="UTC"),
    catchup=False,
    max_active_runs=1,
    tags=["jishi", "quality"],
    doc_md=__doc__,
    params={
        "date": Param(None, type=["null", "string"], format="date", description="UTC date of the reads; empty: the day before")
    },
    default_args={"owner": OWNER},
) as dag:
    step(
        "compare",
        f"{MAIN} ops.cli features online-parity --date {DAY}",
        what="Recomputes the sampled values from the log in bronze and publishes mismatches, gaps and ages by feature.",
        repair="The log names features, shops and entities. `jishi features why` lists the events behind a value; when bronze "
        "does not reach the day, run `daily` for it. Then clear the task.",
        minutes=20,
        outlets=[PARITY],
    )
