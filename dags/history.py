"""
### history

Brings the history of shops from landing files to released models: bronze, silver, marts, features, models.

Run it by hand (or through `jishi demo`) after `jishi import` or `jishi simulate` wrote landing files, with the shops as a
parameter. It may be run again at any time: every step replaces what it wrote before, and readers see whole tables only.
"""

from __future__ import annotations

from airflow.sdk import DAG
from steps import BRONZE, FOR_EACH_SHOP, MAIN, OWNER, SHOPS, step, work_up

with DAG(
    dag_id="history",
    schedule=None,
    catchup=False,
    max_active_runs=1,
    tags=["jishi", "history"],
    doc_md=__doc__,
    params={"shops": SHOPS},
    default_args={"owner": OWNER},
) as dag:
    land = step(
        "land",
        f"{MAIN} imports history{FOR_EACH_SHOP}",
        what="Checks every line of history against the event contract and writes it to bronze, good or not.",
        repair="The log names the file that differs from its manifest; write the landing files again and clear the task.",
        minutes=30,
        outlets=[BRONZE],
    )
    work_up(land, batch="history", shops=FOR_EACH_SHOP, as_of="{{ dag_run.run_after.isoformat() }}")
