"""
### tables

Makes the models of large shops from tables that Spark computes: neighbours, factors and candidates up to the cut of the shop's
split and of all acts, then a candidate from them, its judgement, the gate and the release.

Run it by hand, with the shops as a parameter, for shops whose acts do not fit one machine's memory; `daily` trains the others
and would train these, too, if they are among its shops. It reads silver, so run it after `daily` or `history`. It may be run
again at any time: every step replaces what it wrote before.
"""

from __future__ import annotations

from airflow.sdk import DAG, chain
from steps import MAIN, OWNER, SHOPS, model_steps, step

# One line for each shop and window, so that the first that fails ends the task; the cut is the one that the judges use.
EACH = (
    "set -e{% for shop in params.shops %}\n"
    f"cut=$({MAIN} models cut --shop {{{{ shop }}}}){{% for window in ['--before $cut ', ''] %}}\n"
)
EACH_END = "{% endfor %}{% endfor %}"
REPAIR = (
    "The log names shop, table and what is missing or wrong; nothing of that table was published. Fix it and clear the task."
)

with DAG(
    dag_id="tables",
    schedule=None,
    catchup=False,
    max_active_runs=1,
    tags=["jishi"],
    doc_md=__doc__,
    params={"shops": SHOPS},
    default_args={"owner": OWNER},
) as dag:
    cooccurrence = step(
        "cooccurrence",
        f"{EACH}{MAIN} spark_jobs cooccurrence {{{{ window }}}}--within order --shop {{{{ shop }}}}\n"
        f"{MAIN} spark_jobs cooccurrence {{{{ window }}}}--within person --shop {{{{ shop }}}}{EACH_END}",
        what="Finds the nearest items of each item within orders and within persons, up to the cut and of all acts.",
        repair=REPAIR,
        minutes=60,
    )
    als = step(
        "als",
        f"{EACH}{MAIN} spark_jobs als {{{{ window }}}}--shop {{{{ shop }}}}{EACH_END}",
        what="Factorises the preferences of all persons with MLlib, up to the cut and of all acts.",
        repair=REPAIR,
        minutes=60,
    )
    candidates = step(
        "candidates",
        f"{EACH}{MAIN} spark_jobs candidates {{{{ window }}}}--shop {{{{ shop }}}}{EACH_END}",
        what="Lists the best items for each person from the neighbours within persons, up to the cut and of all acts.",
        repair=f"{REPAIR} When the cut has moved since `cooccurrence`, clear that task and what follows.",
        minutes=60,
    )
    chain(cooccurrence, als, candidates, *model_steps(source=" --from-tables"))
