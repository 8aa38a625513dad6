"""
### daily

Works up the live events of one UTC day: lands the stream's archive, rebuilds the tables that the day touches, and trains,
compares and releases models.

It runs every night for the day before. For a repair trigger it with `date`; any day may be run again: the day's batch is
decided from itself and the batches before it, so the rows come out the same.
"""

from __future__ import annotations

from airflow.sdk import DAG, Param, chain
from airflow.timetables.trigger import CronTriggerTimetable
from steps import BRONZE, FEATURES, FOR_EACH_SHOP, MAIN, MARTS, OWNER, SHOPS, SILVER, WAREHOUSE_POOL, model_steps, step

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
    land = step(
        "land",
        f"{MAIN} collector.landing live --date {DAY}",
        what="Copies the day's records from the stream's archive into bronze.",
        repair="Clear the task; it replaces the day's batch. The archive in `var/landing/live` is not touched.",
        minutes=30,
        outlets=[BRONZE],
    )
    silver = step(
        "silver",
        f"{MAIN} spark_jobs silver --batch live-{DAY}",
        what="Decides the fates of the day's events, earlier batches included for duplicates, and rebuilds what they touch.",
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
        f"{MAIN} feature_repo materialize --as-of {NEXT_DAY}T00:00:00Z && {MAIN} feature_repo training-set{FOR_EACH_SHOP}",
        what="Writes the newest daily features to the online store and joins a training set as of each label's time.",
        repair="Clear the task; writes to the online store only go forward, so a second run does no harm.",
        minutes=30,
        outlets=[FEATURES],
    )
    chain(land, silver, marts, features)
    chain(silver, *model_steps())  # models learn from silver, so they need not wait for marts and features
