"""One step of a pipeline: a command of a part, run by that part's own interpreter. The DAGs only order steps.

Shops are no list in code. The task ``groups`` reads them from the registry when a run starts, cut into groups; steps that work
shop by shop are mapped over the groups, and a group's command knows its shops by the variable ``SHOPS``. Each keeps a ledger of
the run (``jishi.shop_runs``): a retry takes up failed shops only, and a task that a person clears does all of its shops again.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from airflow.sdk import Asset, Param, TriggerRule
from callbacks import tell_of_failure
from metered import MeteredBashOperator
from sensors import CommandSensor

# Nights are worked up from this instant on, each once (ops.airflow). Without it nobody knows which nights are missing.
SINCE = datetime.fromisoformat(since) if (since := os.environ.get("JISHI_SCHEDULED_SINCE")) else None
PROJECT_ROOT = str(Path(__file__).resolve().parent.parent)
OWNER = "data-platform"
TAGS = {"history", "hourly", "daily", "weekly", "quality", "jishi"}  # the closed set; tests/unit/dags refuses others
WAREHOUSE_POOL = "warehouse"  # one slot: DuckDB has one writer
SPARK_POOL = "spark"  # one slot: a Spark driver takes the memory and the cores of the embedded profile

# A day of them is a partition, and begins what follows it; tasks that run once a day publish them, so that a day is one event.
BRONZE = Asset("jishi://lake/bronze")
MARTS = Asset("jishi://warehouse/marts")

# A shop id reaches a command line, so its form is checked before the run starts.
SHOPS = Param(
    [],
    type="array",
    items={"type": "string", "pattern": "^[a-z0-9][a-z0-9_-]{0,63}$"},
    description="shops to work on, for a repair; empty: every shop",
)
DATE = Param(None, type=["null", "string"], format="date", description="UTC date; empty: the run's own, else the day before")
# The day of a run: the one that a person named, that of its partition (by schedule, backfill or asset), else the day before it.
OF_RUN = "(params.date or dag_run.partition_key or macros.ds_add(dag_run.run_after | ds, -1))"
DAY = (
    f"{{{{ macros.ds_format({OF_RUN}, '%Y-%m-%d', '%Y-%m-%d') }}}}"  # refuses what is no date, since it reaches a command line
)
NEXT_DAY = f"{{{{ macros.ds_add({OF_RUN}, 1) }}}}"

BEGAN = "{{ (dag_run.start_date or dag_run.run_after).isoformat() }}"  # run_after of a backfill is its day itself

MAIN = ".venv/bin/python -m"
NAMED_SHOPS = "{% for shop in params.shops %} --shop {{ shop }}{% endfor %}"
OF_GROUP = " $SHOPS"  # --shop A --shop B …
RUN_ID = "{{ dag.dag_id }}.{{ run_id }}"
# Airflow raises max_tries when a person clears a task, and leaves it for its own retries.
LEDGER = f" --run {RUN_ID}@{{{{ ti.max_tries }}}}"
FAILED_TASKS = "{{ ti.get_ti_count(dag_id=dag.dag_id, run_ids=[run_id], states=['failed', 'upstream_failed']) }}"


def step(
    task_id: str,
    command: str,
    *,
    what: str,
    repair: str,
    minutes: int,
    retries: int = 2,
    outlets: list[Asset] | None = None,
    pool: str = "default_pool",
    group: dict[str, str] | None = None,
    trigger_rule: TriggerRule = TriggerRule.ALL_SUCCESS,
    output_processor: Callable[[str], Any] = str,
) -> MeteredBashOperator:
    """A task that runs ``command`` from the project's root.

    ``what`` says what the step does and why; ``repair`` what to do when it failed. It is tried three times, with growing
    pauses, and ended after ``minutes``. Every step may run again: it replaces what it wrote before. ``group`` is the
    environment of a group of shops, where the step is mapped over groups.
    """
    return MeteredBashOperator(
        task_id=task_id,
        bash_command=command,
        cwd=PROJECT_ROOT,
        env=group,
        append_env=True,
        owner=OWNER,
        retries=retries,
        retry_delay=timedelta(seconds=10),
        retry_exponential_backoff=True,
        max_retry_delay=timedelta(minutes=2),
        execution_timeout=timedelta(minutes=minutes),
        outlets=outlets or [],
        pool=pool,
        trigger_rule=trigger_rule,
        output_processor=output_processor,
        on_failure_callback=tell_of_failure if task_id != "report" else None,  # of what a report says, operators know
        doc_md=f"{what}\n\n**Repair.** {repair}",
    )


def compare_online(day: str) -> MeteredBashOperator:
    """The sampled values that serving used on a day against the log, as far as bronze reaches."""
    return step(
        "compare",
        f"{MAIN} ops.cli features online-parity --date {day}",
        what="Recomputes the sampled values from the log in bronze and publishes mismatches, gaps and ages by feature.",
        repair="The log names features, shops and entities. `jishi features why` lists the events behind a value; when bronze "
        "does not reach the day, run `daily` for it. Then clear the task.",
        minutes=20,
    )


def list_groups(options: str = "") -> MeteredBashOperator:
    """The groups of shops of this run, each as the environment of its tasks; ``options`` limit them."""
    return step(
        "groups",
        f"{MAIN} ops.cli shops groups{NAMED_SHOPS}{options}",
        what="Reads the shops from the registry, in groups of `JISHI_SHOP_GROUP_SIZE`; the next steps are mapped over them.",
        repair="`jishi shops list` shows who is registered. Without any shop the run ends here, and is fine.",
        minutes=5,
        output_processor=json.loads,
    )


def wait_for_day(day: str, *, hours: float, outlets: list[Asset] | None = None) -> CommandSensor:
    """Until bronze has every event that the log knew at the end of the day and of its allowed lateness, at most ``hours``.

    A run that begins before the day is over takes what is known then; the next run of a later day restates that day.
    """
    return CommandSensor(
        task_id="complete",
        bash_command=f"{MAIN} ops.cli complete --date {day} --at {BEGAN}",
        cwd=PROJECT_ROOT,
        at_most=timedelta(hours=hours),
        owner=OWNER,
        retries=2,
        retry_delay=timedelta(seconds=10),
        retry_exponential_backoff=True,
        max_retry_delay=timedelta(minutes=2),
        execution_timeout=timedelta(minutes=10),
        outlets=outlets or [],
        on_failure_callback=tell_of_failure,
        doc_md="Waits until every partition of the event log lies in bronze up to where it ended when the day was over and its "
        "lateness, too. Half a day would look like a bad day.\n\n**Repair.** The log names partition and offset. "
        "`jishi status` and `var/log/flink.log` say why the stream is behind; when it goes on, clear the task.",
    )


def build_silver(
    group: dict[str, str], batch: str, *, after: str = "", trigger_rule: TriggerRule = TriggerRule.ALL_SUCCESS
) -> MeteredBashOperator:
    """Silver of a bronze batch for a group of shops; ``after`` limits it to shops that a job of the run has done."""
    return step(
        "silver",
        f"{MAIN} spark_jobs silver --batch {batch}{OF_GROUP}{LEDGER}{after}",
        what="Decides the outcome of each event (duplicates by earlier batches, too) and rebuilds what the batch touches.",
        repair="The log and `jishi gates list` name shop, check, table and rows; that shop keeps its old rows. Fix the cause, "
        "or `jishi gates accept` a day that is true, and clear the task.",
        minutes=60,
        pool=SPARK_POOL,
        group=group,
        trigger_rule=trigger_rule,
    )


def join_decisions() -> MeteredBashOperator:
    """What serving answered, with what became of it, of all shops; it goes on when a group of silver failed."""
    return step(
        "decisions",
        f"{MAIN} decision_log",
        what="Brings the topic `jishi.decisions` to bronze and joins answers with showings and clicks in `silver/decisions`.",
        repair="The log says whether the broker is away or a check failed; nothing was published. Clear the task: it goes on "
        "from where the lake's own records end.",
        minutes=30,
        trigger_rule=TriggerRule.NONE_SKIPPED,
    )


def reconcile_day(day: str) -> MeteredBashOperator:
    """Every acknowledgement of the day is in bronze and in silver; it runs also when silver of a group failed."""
    return step(
        "reconcile",
        f"{MAIN} ops.cli reconcile --date {day}{NAMED_SHOPS}",
        what="Compares the day's numbers of every collector with bronze and silver, shop by shop, and names what is missing.",
        repair="The log names collector, seq, shop and event. Repair `silver` or the forwarder first, then clear this task.",
        minutes=30,
        retries=1,
        trigger_rule=TriggerRule.ALL_DONE,
    )


def build_marts(*, outlets: list[Asset] | None = None) -> MeteredBashOperator:
    """Marts of all shops; it goes on when a group of silver failed, whose shops keep their old rows.

    When every group failed, nothing was published, and the command leaves the marts as they are.
    """
    return step(
        "marts",
        f"{MAIN} ops.marts build",
        what="Builds and tests the marts with dbt and publishes a read-only copy for boards and notebooks.",
        repair="The log names the failing model or test; readers keep the last published marts. See `var/log/dbt/dbt.log`.",
        minutes=30,
        outlets=outlets,
        pool=WAREHOUSE_POOL,
        trigger_rule=TriggerRule.NONE_SKIPPED,
    )


def send_lineage() -> MeteredBashOperator:
    """OpenLineage events of the newest dbt build, where they are asked for."""
    return step(
        "lineage",
        f"{MAIN} ops.dbt_events",
        what="Sends what dbt built, from which columns and with which tests, to where `JISHI_OPENLINEAGE` says; else nothing.",
        repair="The log has the last lines of `dbt-ol`. Mend the address and clear the task; numbers do not depend on it.",
        minutes=10,
    )


def forecast_customers() -> MeteredBashOperator:
    """Lifetime values of all shops' customers and effects of their channels from the new marts; the next marts show them."""
    return step(
        "forecast",
        f"{MAIN} models.after_marts",
        what="Fits how often customers buy and for how much, and what each channel brings, and publishes both.",
        repair="Clear the task; it publishes nothing when nothing has changed. A shop with too little is named in the log.",
        minutes=30,
    )


def serve_features(as_of: str) -> MeteredBashOperator:
    """Daily features of all shops up to ``as_of``, and the training sets."""
    return step(
        "features",
        f"{MAIN} feature_repo daily --as-of {as_of}{NAMED_SHOPS}{LEDGER}",
        what="Writes the newest daily features to the online store and joins a training set as of each label's time.",
        repair="Clear the task; writes to the online store only go forward, so a second run does no harm.",
        minutes=60,
    )


def send_digests(group: dict[str, str], day: str) -> MeteredBashOperator:
    """The digest of the week of ``day`` for a group of shops, written and sent."""
    return step(
        "digest",
        f"{MAIN} dashboard.digest --week {day} --send{OF_GROUP}{LEDGER}",
        what="Writes each shop's week as a page into `var/digests` and sends it to the receivers that did not get it yet.",
        repair="The log names shop and receiver. When it says that the marts do not reach the week's end, run `daily` first.",
        minutes=60,
        group=group,
    )


def check_alerts() -> MeteredBashOperator:
    """Alerts of all shops on the newest marts; a shop without rules has nothing to do."""
    return step(
        "alerts",
        f"{MAIN} dashboard.portal.alerts check{NAMED_SHOPS}{LEDGER}",
        what="Holds each shop's rules against its newest days and tells its receivers what is unusual, each once.",
        repair="The log names shop and receiver. One that refuses for good is named on the shop's page and fails nothing; "
        "mend what does not answer and clear the task.",
        minutes=30,
    )


def model_steps(group: dict[str, str], *, source: str = " --after silver", goes_on: bool = True) -> list[MeteredBashOperator]:
    """Train, evaluate, judge, gate and publish, in this order, for a group of shops; ``source`` are further arguments of train.

    With ``goes_on`` a step also runs after one that failed for some shops: it takes up those that the step before has done. A
    shop without new events has no new silver, and keeps its release.
    """
    rule = TriggerRule.ALL_DONE if goes_on else TriggerRule.ALL_SUCCESS
    return [
        step(
            "train",
            f"{MAIN} models train{OF_GROUP}{LEDGER}{source}",
            what="Fits candidate models for each placement on the training window of a time split, and on all acts.",
            repair="Read the log for the shop; `jishi reconcile` shows what of it is there; then clear this task.",
            minutes=60,
            group=group,
            trigger_rule=rule,
        ),
        step(
            "evaluate",
            f"{MAIN} models evaluate{OF_GROUP}{LEDGER} --after train",
            what="Ranks all items for the test cases of every placement and writes metrics with intervals, next to popularity.",
            repair="Clear `train` and this task; the candidate's folder is written again.",
            minutes=60,
            group=group,
            trigger_rule=rule,
        ),
        step(
            "judge",
            f"{MAIN} serving.judge{OF_GROUP}{LEDGER} --after evaluate",
            what="Serves the test cases from the candidate, the release in use and the ladder; keeps what each list is worth.",
            repair="Clear `evaluate` and this task; the candidate's folder `served` is written again.",
            minutes=30,
            group=group,
            trigger_rule=rule,
        ),
        step(
            "gate",
            f"{MAIN} models gate{OF_GROUP}{LEDGER} --after judge",
            what="Decides whether the candidate may be released and what answers each placement. A refusal is no failure.",
            repair="`gate.json` in the candidate's folder explains a refusal. Clear the task after a fix.",
            minutes=10,
            group=group,
            trigger_rule=rule,
        ),
        step(
            "publish",
            f"{MAIN} models publish{OF_GROUP}{LEDGER} --after gate",
            what="Moves the shop's release pointer when the gate passed; serving picks it up without a restart.",
            repair="Clear the task; the pointer moves in one step, and serving keeps the last good release until then.",
            minutes=10,
            group=group,
            trigger_rule=rule,
        ),
    ]


def compact_lake(trigger_rule: TriggerRule = TriggerRule.ALL_SUCCESS) -> MeteredBashOperator:
    """Small files of the lake joined, old snapshots dropped."""
    return step(
        "maintain",
        f"{MAIN} spark_jobs maintain",
        what="Compacts `bronze.events` and, as a publish of its own, silver; expires snapshots, dead branches, orphan files.",
        repair="Each step commits by itself or not at all, so clear the task; what was done stays done.",
        minutes=60,
        pool=SPARK_POOL,
        trigger_rule=trigger_rule,
    )


def expire_files(trigger_rule: TriggerRule = TriggerRule.ALL_SUCCESS) -> MeteredBashOperator:
    """What is older than its rule goes (docs/operations/retention.md)."""
    return step(
        "retain",
        f"{MAIN} ops.cli retain",
        what="Deletes files and rows that are older than their rule.",
        repair="`jishi retain --dry-run` shows what would go; clear the task: what is gone stays gone.",
        minutes=30,
        trigger_rule=trigger_rule,
    )


def measure_drift(day: str) -> MeteredBashOperator:
    """Features and event mix of the week of ``day`` against the week before."""
    return step(
        "drift",
        f"{MAIN} ops.cli drift --date {day}{NAMED_SHOPS} --tell",
        what="Compares the shares of event types and the distributions of the daily features of two weeks (PSI), so that a "
        "model does not go on learning from what has changed without anybody's knowing; tells the operators of each shop.",
        repair="The log has every number. Red means that a receiver did not answer: mend it and clear the task.",
        minutes=30,
    )


def backtest_forecasts() -> MeteredBashOperator:
    """Forecasts that were made as of an earlier day against what happened."""
    return step(
        "backtest",
        f"{MAIN} ops.cli backtest{NAMED_SHOPS} --tell",
        what="Holds forecasts of repeat purchases, which knew nothing of the last days, against these days, and tells the "
        "operators of shops whose forecast is off by more than half.",
        repair="Without marts it is skipped. Red means that a receiver did not answer: mend it and clear the task.",
        minutes=30,
    )


def report() -> MeteredBashOperator:
    """The run's last task: it waits for all others, names the shops that failed and fails when anything did."""
    return step(
        "report",
        f"{MAIN} ops.cli shops report {RUN_ID} --failed-tasks {FAILED_TASKS}",
        what="Shows what became of every shop in every step. Steps go on without one that failed; here the run fails for it.",
        repair="Fix what the reasons say, then clear the tasks that are red, with what follows them.",
        minutes=5,
        retries=0,
        trigger_rule=TriggerRule.ALL_DONE,
    )
