"""
### alerts

Holds every shop's rules against its newest published days and tells its receivers what is unusual.

`daily` does so when it has built the marts; this run, every hour, sends what quiet hours held back, and tries those receivers
again that did not answer. Each receiver is told once of a rule and day, so a run may be repeated at any time.
"""

from __future__ import annotations

from airflow.sdk import DAG, chain
from airflow.timetables.trigger import CronTriggerTimetable
from callbacks import done_within
from steps import OWNER, SHOPS, check_alerts, report

with DAG(
    dag_id="alerts",
    schedule=CronTriggerTimetable("5 * * * *", timezone="UTC"),
    catchup=False,
    is_paused_upon_creation=False,
    max_active_runs=1,
    deadline=done_within(1),
    tags=["jishi"],
    doc_md=__doc__,
    params={"shops": SHOPS},
    default_args={"owner": OWNER},
) as dag:
    chain(check_alerts(), report())
