"""What Airflow does when a task fails for good or a run takes too long: it tells the operators (``dashboard.operators``)."""

from __future__ import annotations

import asyncio
import subprocess
from datetime import timedelta
from pathlib import Path
from typing import Any

from airflow.sdk import AsyncCallback, DeadlineAlert, DeadlineReference

PROJECT_ROOT = Path(__file__).resolve().parent.parent


def notify(subject: str, title: str, text: str, link: str = "") -> None:
    """Hand a problem to the main environment; what could not be sent stands in the log and in the file."""
    command = [str(PROJECT_ROOT / ".venv" / "bin" / "python"), "-m", "dashboard.operators", "--subject", subject]
    command += ["--title", title, *(["--link", link, "--link-text", "Log"] if link else [])]
    done = subprocess.run(command, cwd=PROJECT_ROOT, input=text, capture_output=True, text=True, check=False)
    print(done.stdout + done.stderr)


def tell_of_failure(context: Any) -> None:
    """A task failed and is not tried again: its reason, how to repair it, and its log."""
    ti, dag_run = context["ti"], context["dag_run"]
    day = dag_run.partition_key or f"run {dag_run.run_id}"
    repair = (ti.task.doc_md or "").partition("**Repair.** ")[2]
    text = f"{context.get('exception') or 'no reason was given'}\n\n{repair}"
    notify(f"{ti.dag_id}.{ti.task_id}", f"{ti.dag_id}, {day}: {ti.task_id} failed", text, ti.log_url or "")


async def tell_of_deadline(context: Any, hours: float) -> None:
    """A run takes longer than it may."""
    dag_id, run_id = context["dag_run"]["dag_id"], context["dag_run"]["dag_run_id"]
    text = f"Run {run_id} waits or works longer than it may. `jishi status` says what is behind; its tasks stand in Airflow."
    await asyncio.to_thread(notify, f"{dag_id}.deadline", f"{dag_id}: not done after {hours:g} hours", text)


def done_within(hours: float) -> DeadlineAlert:
    """The operators are told of a run that is not done so many hours after it was queued."""
    callback = AsyncCallback(tell_of_deadline, kwargs={"hours": hours})
    return DeadlineAlert(reference=DeadlineReference.DAGRUN_QUEUED_AT, interval=timedelta(hours=hours), callback=callback)
