"""What the running job tells through Flink's REST API."""

from __future__ import annotations

import json
import urllib.request
from dataclasses import dataclass
from typing import Any

RUNNING = "RUNNING"
ENDED = frozenset({"FAILED", "CANCELED", "FINISHED", "SUSPENDED"})


@dataclass(frozen=True)
class JobFacts:
    """One look at the job: its state, its restarts since it was started, its checkpoints and why it failed last."""

    state: str
    restarts: int
    checkpoints: int
    failed_checkpoints: int
    last_error: str | None

    @property
    def has_ended(self) -> bool:
        """Whether the job will do nothing more."""
        return self.state in ENDED


@dataclass(frozen=True)
class RestApi:
    """Flink's REST API at ``base`` (``http://host:port``). Calls raise OSError when nobody answers."""

    base: str
    timeout_s: float = 5.0

    def facts(self, job_id: str) -> JobFacts:
        """Look at the job."""
        checkpoints = self._get(f"/jobs/{job_id}/checkpoints")["counts"]
        restarts = self._get(f"/jobs/{job_id}/metrics?get=numRestarts")
        failures = self._get(f"/jobs/{job_id}/exceptions?maxExceptions=1").get("exceptionHistory", {}).get("entries", [])
        return JobFacts(
            state=self._get(f"/jobs/{job_id}")["state"],
            restarts=int(float(restarts[0]["value"])) if restarts else 0,
            checkpoints=checkpoints["completed"],
            failed_checkpoints=checkpoints["failed"],
            last_error=_root_cause(failures[0]["stacktrace"]) if failures else None,
        )

    def all_tasks_run(self, job_id: str) -> bool:
        """Whether every task of the job has left its start behind."""
        return all(vertex["status"] == RUNNING for vertex in self._get(f"/jobs/{job_id}")["vertices"])

    def cancel(self, job_id: str) -> None:
        """Stop the job; its checkpoints stay."""
        request = urllib.request.Request(f"{self.base}/jobs/{job_id}?mode=cancel", method="PATCH")
        urllib.request.urlopen(request, timeout=self.timeout_s).close()

    def going_on(self, name: str) -> list[str]:
        """Ids of the jobs of that name which have not ended."""
        jobs = self._get("/jobs/overview")["jobs"]
        return [job["jid"] for job in jobs if job["name"] == name and job["state"] not in ENDED]

    def stop_with_savepoint(self, job_id: str, folder: str) -> None:
        """Ask the job to write its state below ``folder``, a URI, and to stop; returns at once. No window is closed early."""
        body = json.dumps({"targetDirectory": folder, "drain": False}).encode()
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(f"{self.base}/jobs/{job_id}/stop", body, headers, method="POST")
        urllib.request.urlopen(request, timeout=self.timeout_s).close()

    def _get(self, path: str) -> Any:
        with urllib.request.urlopen(self.base + path, timeout=self.timeout_s) as answer:
            return json.load(answer)


def is_timeout(error: OSError) -> bool:
    """Whether nobody answered in time, although somebody listens."""
    return isinstance(error, TimeoutError) or isinstance(getattr(error, "reason", None), TimeoutError)


def _root_cause(stack_trace: str) -> str:
    """The innermost cause that a Java stack trace names."""
    lines = stack_trace.splitlines()
    causes = [line.removeprefix("Caused by: ") for line in lines if line.startswith("Caused by: ")]
    return causes[-1] if causes else lines[0]
