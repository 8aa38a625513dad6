"""
### maintenance

Keeps the lake's tables small: joins the small files that the stream appends to `bronze.events` and that groups of shops add to
silver, drops old versions and snapshots, branches of publishes that died, and files that no snapshot knows. Then logs,
candidates, old rows of databases and what else no part takes away itself go by their rules (docs/operations/retention.md).

It runs every two hours, between other Spark jobs. Snapshots that a recorded version names and the stream's newest commits
always stay. A run may be repeated at any time and then finds less to do.
"""

from __future__ import annotations

from airflow.sdk import DAG, chain
from airflow.timetables.trigger import CronTriggerTimetable
from callbacks import done_within
from steps import OWNER, compact_lake, expire_files

with DAG(
    dag_id="maintenance",
    schedule=CronTriggerTimetable("40 */2 * * *", timezone="UTC"),
    catchup=False,
    is_paused_upon_creation=False,
    max_active_runs=1,
    deadline=done_within(2),
    tags=["jishi", "quality"],
    doc_md=__doc__,
    default_args={"owner": OWNER},
) as dag:
    chain(compact_lake(), expire_files())
