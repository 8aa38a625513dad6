"""
### history

Brings the history of shops from landing files to released models: bronze, silver, marts, features, models.

Run it by hand (or through `jishi demo`) after `jishi import` or `jishi simulate` wrote landing files, with the shops as a
parameter. It may be run again at any time: every step replaces what it wrote before, and readers see whole tables only.
"""

from __future__ import annotations

from airflow.sdk import DAG, chain
from steps import BRONZE, FEATURES, FOR_EACH_SHOP, MAIN, MARTS, OWNER, SHOPS, SILVER, WAREHOUSE_POOL, model_steps, step

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
        f"{MAIN} collector.landing history{FOR_EACH_SHOP}",
        what="Checks every line of history against the event contract and writes it to bronze, good or not.",
        repair="The log names the file that differs from its manifest; write the landing files again and clear the task.",
        minutes=30,
        outlets=[BRONZE],
    )
    silver = step(
        "silver",
        f"{MAIN} spark_jobs silver --batch history{FOR_EACH_SHOP}",
        what="Decides the fate of every event and builds the silver tables with Spark.",
        repair="A failed audit names check, table and rows; nothing was published. Fix the cause and clear the task.",
        minutes=60,
        outlets=[SILVER],
    )
    marts = step(
        "marts",
        f"{MAIN} jishi.marts build",
        what="Builds and tests the marts with dbt and publishes a read-only copy for boards and notebooks.",
        repair="The log names the failing model or test; readers keep the last published marts. See `var/log/dbt.log`.",
        minutes=30,
        outlets=[MARTS],
        pool=WAREHOUSE_POOL,
    )
    features = step(
        "features",
        f"{MAIN} feature_repo materialize --as-of {{{{ dag_run.run_after.isoformat() }}}}"
        f" && {MAIN} feature_repo training-set{FOR_EACH_SHOP}",
        what="Writes the newest daily features to the online store and joins a training set as of each label's time.",
        repair="Clear the task; writes to the online store only go forward, so a second run does no harm.",
        minutes=30,
        outlets=[FEATURES],
    )
    chain(land, silver, marts, features)
    chain(silver, *model_steps())  # models learn from silver, so they need not wait for marts and features
