"""
### watch

Looks every ten minutes at what can go wrong in silence: bronze behind the log, numbers of a collector that are missing, a shop
whose events are refused, days that nobody worked up, features that drift.

Each problem goes to the operators (`JISHI_OPERATORS`, and `var/log/operators.jsonl`), and again every six hours while it stays.
The run is green when they have it: red means that a check itself or a receiver failed. `jishi watch` shows the same by hand.
"""

from __future__ import annotations

from airflow.sdk import DAG
from airflow.timetables.trigger import CronTriggerTimetable
from callbacks import done_within
from steps import MAIN, OWNER, step

with DAG(
    dag_id="watch",
    schedule=CronTriggerTimetable("*/10 * * * *", timezone="UTC"),
    catchup=False,
    is_paused_upon_creation=False,
    max_active_runs=1,
    deadline=done_within(1),
    tags=["jishi", "quality"],
    doc_md=__doc__,
    default_args={"owner": OWNER},
) as dag:
    step(
        "watch",
        f"{MAIN} ops.cli watch --tell",
        what="Holds the log against bronze and bronze against silver, and tells the operators what is wrong.",
        repair="The log says which check or which receiver failed. Mend it; the next run looks again.",
        minutes=9,
        retries=1,
    )
