"""
### daily

Works up the live events of one UTC day: rebuilds the tables that the day touches from what the stream appended to bronze, and
trains, compares and releases models.

It runs every night for the day before. For a repair trigger it with `date`; any day may be run again: the day's batch is
decided from itself and the batches before it, so the rows come out the same.
"""

from __future__ import annotations

from airflow.sdk import DAG, Param
from airflow.timetables.trigger import CronTriggerTimetable
from steps import OWNER, SHOPS, work_up

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
    work_up(None, batch=f"live-{DAY}", shops="", as_of=f"{NEXT_DAY}T00:00:00Z")
