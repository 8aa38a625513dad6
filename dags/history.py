"""
### history

Brings the history of shops from landing files to released models: bronze, silver, marts, features, models.

Run it by hand (or through `jishi demo`) after `jishi import` or `jishi simulate` wrote landing files; it takes every shop that
has some, or those of the parameter `shops`. It may be run again at any time: every step replaces what it wrote before, and
readers see whole tables only.
"""

from __future__ import annotations

from airflow.sdk import DAG, TriggerRule, chain, task_group
from callbacks import done_within
from steps import (
    LEDGER,
    MAIN,
    OF_GROUP,
    OWNER,
    SHOPS,
    build_marts,
    build_silver,
    forecast_customers,
    list_groups,
    model_steps,
    report,
    serve_features,
    step,
)

with DAG(
    dag_id="history",
    schedule=None,
    catchup=False,
    is_paused_upon_creation=False,
    max_active_runs=1,
    deadline=done_within(4),
    tags=["jishi", "history"],
    doc_md=__doc__,
    params={"shops": SHOPS},
    default_args={"owner": OWNER},
) as dag:

    @task_group(group_id="each_group", prefix_group_id=False)
    def each_group(group: dict[str, str]) -> None:
        """One group of shops, from its landing files to its releases."""
        land = step(
            "land",
            f"{MAIN} imports history{OF_GROUP}{LEDGER}",
            what="Checks every line of history against the event contract and writes it to bronze, good or not.",
            repair="The log names the file that differs from its manifest; write the landing files again and clear the task.",
            minutes=30,
            group=group,
        )
        silver = build_silver(group, "history", after=" --after history", trigger_rule=TriggerRule.ALL_DONE)
        chain(land, silver, *model_steps(group))

    each_group.expand(group=list_groups(" --landed").output)
    marts, features = build_marts(), serve_features("{{ dag_run.run_after.isoformat() }}")
    forecast = forecast_customers()
    chain(dag.get_task("silver"), marts, [features, forecast])
    chain([features, forecast, dag.get_task("publish")], report())
