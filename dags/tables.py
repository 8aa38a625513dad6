"""
### tables

Makes the models of large shops from tables that Spark computes: neighbours, factors and candidates up to the cut of the shop's
split and of all acts, then a candidate from them, its judgement, the gate and the release.

It follows the marts of `daily`, a day each, for the shops whose models come from tables (`jishi shops models SHOP tables`),
which are those whose acts do not fit one machine's memory; `daily` trains the others. It reads silver. It may be run again at
any time: every step replaces what it wrote before.
"""

from __future__ import annotations

from airflow.sdk import DAG, PartitionedAssetTimetable, chain, task_group
from callbacks import done_within
from steps import MAIN, MARTS, OF_GROUP, OWNER, SHOPS, SPARK_POOL, list_groups, model_steps, report, step

# A group is one shop. The cut is the one that the judges use; a shop with too little for one ends the step as skipped.
CUT = f"set -e\ncut=$({MAIN} models cut{OF_GROUP})\n"
WINDOWS = ("--before $cut ", "")
REPAIR = (
    "The log names shop, table and what is missing or wrong; nothing of that table was published. Fix it and clear the task."
)

with DAG(
    dag_id="tables",
    schedule=PartitionedAssetTimetable(assets=MARTS),
    catchup=False,
    is_paused_upon_creation=False,
    max_active_runs=1,
    deadline=done_within(6),
    tags=["jishi"],
    doc_md=__doc__,
    params={"shops": SHOPS},
    default_args={"owner": OWNER},
) as dag:

    @task_group(group_id="each_group", prefix_group_id=False)
    def each_group(group: dict[str, str]) -> None:
        """One large shop, from silver to its release."""
        cooccurrence = step(
            "cooccurrence",
            CUT
            + "\n".join(
                f"{MAIN} spark_jobs cooccurrence {window}--within {within}{OF_GROUP}"
                for window in WINDOWS
                for within in ("order", "person")
            ),
            what="Finds the nearest items of each item within orders and within persons, up to the cut and of all acts.",
            repair=REPAIR,
            minutes=60,
            pool=SPARK_POOL,
            group=group,
        )
        als, candidates = (
            step(
                job,
                CUT + "\n".join(f"{MAIN} spark_jobs {job} {window}{OF_GROUP[1:]}" for window in WINDOWS),
                what=what,
                repair=repair,
                minutes=60,
                pool=SPARK_POOL,
                group=group,
            )
            for job, what, repair in (
                ("als", "Factorises the preferences of all persons with MLlib, up to the cut and of all acts.", REPAIR),
                (
                    "candidates",
                    "Lists the best items for each person from the neighbours within persons, up to the cut and of all acts.",
                    f"{REPAIR} When the cut has moved since `cooccurrence`, clear that task and what follows.",
                ),
            )
        )
        chain(cooccurrence, als, candidates, *model_steps(group, source=" --from-tables", goes_on=False))

    each_group.expand(group=list_groups(" --models-from tables --size 1").output)
    chain(dag.get_task("publish"), report())
