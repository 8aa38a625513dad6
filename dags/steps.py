"""One step of a pipeline: a command of a part, run by that part's own interpreter. The DAGs only order steps."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import Asset, Param, chain

PROJECT_ROOT = str(Path(__file__).resolve().parent.parent)
OWNER = "data-platform"
TAGS = {"history", "daily", "quality", "jishi"}  # the closed set; tests/unit/dags refuses others
WAREHOUSE_POOL = "warehouse"  # one slot: DuckDB has one writer

BRONZE = Asset("jishi://lake/bronze")
SILVER = Asset("jishi://lake/silver")
MARTS = Asset("jishi://warehouse/marts")
FEATURES = Asset("jishi://features/daily")
RELEASES = Asset("jishi://models/releases")
PARITY = Asset("jishi://features/online_parity")

# A shop id reaches a command line, so its form is checked before the run starts.
SHOPS = Param(
    ["journey", "lanting", "shanhai", "xinghe"],
    type="array",
    items={"type": "string", "pattern": "^[a-z0-9][a-z0-9_-]{0,63}$"},
    minItems=1,
    description="shops to work on",
)
FOR_EACH_SHOP = "{% for shop in params.shops %} --shop {{ shop }}{% endfor %}"
MAIN = ".venv/bin/python -m"


def step(
    task_id: str,
    command: str,
    *,
    what: str,
    repair: str,
    minutes: int,
    outlets: list[Asset] | None = None,
    pool: str | None = None,
) -> BashOperator:
    """A task that runs ``command`` from the project's root.

    ``what`` says what the step does and why; ``repair`` what to do when it failed. It is tried three times, with growing
    pauses, and ended after ``minutes``. Every step may run again: it replaces what it wrote before.
    """
    return BashOperator(
        task_id=task_id,
        bash_command=command,
        cwd=PROJECT_ROOT,
        owner=OWNER,
        retries=2,
        retry_delay=timedelta(seconds=10),
        retry_exponential_backoff=True,
        max_retry_delay=timedelta(minutes=2),
        execution_timeout=timedelta(minutes=minutes),
        outlets=outlets or [],
        doc_md=f"{what}\n\n**Repair.** {repair}",
        **({"pool": pool} if pool else {}),
    )


def work_up(land: BashOperator, *, batch: str, shops: str, as_of: str) -> None:
    """Everything after ``land``: silver, then marts and features and, beside them, the models.

    ``batch`` is what was landed, ``shops`` the arguments that limit silver to some shops (empty: all of the batch), ``as_of``
    the instant up to which daily features are materialised. Models learn from silver and need not wait for marts and features.
    """
    silver = step(
        "silver",
        f"{MAIN} spark_jobs silver --batch {batch}{shops}",
        what="Decides the outcome of each event (duplicates by earlier batches, too) and rebuilds what the batch touches.",
        repair="A failed audit names check, table and rows; nothing was published. Fix the cause and clear the task.",
        minutes=60,
        outlets=[SILVER],
    )
    marts = step(
        "marts",
        f"{MAIN} ops.marts build",
        what="Builds and tests the marts with dbt and publishes a read-only copy for boards and notebooks.",
        repair="The log names the failing model or test; readers keep the last published marts. See `var/log/dbt/dbt.log`.",
        minutes=30,
        outlets=[MARTS],
        pool=WAREHOUSE_POOL,
    )
    features = step(
        "features",
        f"{MAIN} feature_repo daily --as-of {as_of}{FOR_EACH_SHOP}",
        what="Writes the newest daily features to the online store and joins a training set as of each label's time.",
        repair="Clear the task; writes to the online store only go forward, so a second run does no harm.",
        minutes=30,
        outlets=[FEATURES],
    )
    chain(land, silver, marts, features)
    chain(silver, *model_steps())


def model_steps(source: str = "") -> list[BashOperator]:
    """Train, evaluate, gate and publish, in this order, for the run's shops; ``source`` are further arguments of train."""
    return [
        step(
            "train",
            f"{MAIN} models train{source}{FOR_EACH_SHOP}",
            what="Fits candidate models for each placement on the training window of a time split, and on all acts.",
            repair="Read the log for the shop; `jishi reconcile` shows what of it is there; then clear this task.",
            minutes=20,
        ),
        step(
            "evaluate",
            f"{MAIN} models evaluate{FOR_EACH_SHOP}",
            what="Ranks all items for the test cases of every placement and writes metrics with intervals, next to popularity.",
            repair="Clear `train` and this task; the candidate's folder is written again.",
            minutes=20,
        ),
        step(
            "gate",
            f"{MAIN} models gate{FOR_EACH_SHOP}",
            what="Decides whether the candidate may be released and what answers each placement. A refusal is no failure.",
            repair="`gate.json` in the candidate's folder explains a refusal. Clear the task after a fix.",
            minutes=10,
        ),
        step(
            "publish",
            f"{MAIN} models publish{FOR_EACH_SHOP}",
            what="Moves the shop's release pointer when the gate passed; serving picks it up without a restart.",
            repair="Clear the task; the pointer moves in one step, and serving keeps the last good release until then.",
            minutes=10,
            outlets=[RELEASES],
        ),
    ]
