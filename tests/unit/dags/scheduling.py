"""Runs Airflow's own scheduler over the DAGs, to see what it starts: ``python scheduling.py OUTPUT DAG…`` in an Airflow home.

Tasks are not executed: a run's tasks are said to have ended well, with the assets that they published, as the API notes it when
a worker says so. What is under test is which runs the scheduler makes of that, in which order.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from airflow.api_fastapi.execution_api.datamodels.asset import AssetProfile
from airflow.configuration import conf
from airflow.dag_processing.bundles.manager import DagBundlesManager
from airflow.dag_processing.dagbag import DagBag, sync_bag_to_db
from airflow.jobs.job import Job
from airflow.jobs.scheduler_job_runner import SchedulerJobRunner
from airflow.models.backfill import ReprocessBehavior, _create_backfill
from airflow.models.dag import DagModel
from airflow.models.dagrun import DagRun
from airflow.models.deadline import Deadline
from airflow.models.taskinstance import TaskInstance
from airflow.utils.session import create_session
from airflow.utils.state import TaskInstanceState
from sqlalchemy import select, update

ROUNDS = 8
BACKFILL = (datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 3, 2, tzinfo=UTC))


def end_tasks(dag: Any, session: Any) -> None:
    """All tasks of a DAG's running runs end well, and what they publish is noted."""
    running = select(DagRun).where(DagRun.dag_id == dag.dag_id, DagRun.state == "running")
    for run in session.scalars(running).all():
        for ti in run.get_task_instances(session=session):
            outlets = dag.get_task(ti.task_id).outlets
            ti.state = TaskInstanceState.SUCCESS
            session.flush()
            assets = [AssetProfile(name=asset.name, uri=asset.uri, type="Asset") for asset in outlets]
            TaskInstance.register_asset_changes_in_db(ti, assets, [], session=session)


@dataclass
class SeenBySchedulers:
    """The most runs of ``daily`` that ran at once, and the DAGs whose runs had a deadline while they ran."""

    at_once: int = 0
    deadlines: set[str] = field(default_factory=set)


def go_round(runner: SchedulerJobRunner, bag: DagBag, seen: SeenBySchedulers) -> None:
    """The scheduler's loop, so many times that nothing is left to do; between two rounds tasks end well."""
    for _ in range(ROUNDS):
        with create_session() as session:
            runner._do_scheduling(session)
        with create_session() as session:
            active = select(DagRun).where(DagRun.dag_id == "daily", DagRun.state == "running")
            seen.at_once = max(seen.at_once, len(session.scalars(active).all()))
            with_deadline = select(DagRun.dag_id).join(Deadline, Deadline.dagrun_id == DagRun.id)
            seen.deadlines |= set(session.scalars(with_deadline).all())
            for dag_id in sys.argv[2:]:
                end_tasks(bag.dags[dag_id], session)


def switched_off() -> list[str]:
    """DAGs that are off."""
    with create_session() as session:
        return sorted(session.scalars(select(DagModel.dag_id).where(DagModel.is_paused)).all())


def main() -> None:
    """Sync the DAGs, switch them on, and let the scheduler go round while tasks end well."""
    folder = Path(conf.get("core", "dags_folder"))
    bag = DagBag(dag_folder=str(folder), bundle_path=folder)
    assert not bag.import_errors, bag.import_errors
    DagBundlesManager().sync_bundles_to_db()
    sync_bag_to_db(bag, "dags-folder", None)
    begins_off = switched_off()
    with create_session() as session:
        session.execute(update(DagModel).values(is_paused=DagModel.dag_id.not_in(sys.argv[2:])))
    runner = SchedulerJobRunner(job=Job(), num_runs=1)
    seen = SeenBySchedulers()
    go_round(runner, bag, seen)
    _create_backfill(
        **{"dag_id": "daily", "from_date": BACKFILL[0], "to_date": BACKFILL[1], "max_active_runs": 1, "reverse": False},
        **{"dag_run_conf": {"shops": ["a"]}, "triggering_user_name": None, "reprocess_behavior": ReprocessBehavior.COMPLETED},
    )
    go_round(runner, bag, seen)
    sync_bag_to_db(bag, "dags-folder", None)
    with create_session() as session:
        runs = session.scalars(select(DagRun).order_by(DagRun.start_date)).all()
        listed = [[run.dag_id, run.partition_key, str(run.run_type), str(run.state), run.run_after.isoformat()] for run in runs]
    report = {"runs": listed, "at_once": seen.at_once, "deadlines": sorted(seen.deadlines)}
    report |= {"begins_off": begins_off, "off": switched_off()}
    Path(sys.argv[1]).write_text(json.dumps(report))


if __name__ == "__main__":
    main()
