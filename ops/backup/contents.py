"""What a backup holds, in the order in which it is copied while the parts go on.

Each step is newer than the one before, and every part that goes on from an older state than its source holds repeats what it
did, without harm: the stream takes out of bronze what its checkpoint does not know and reads it from the log again, the feature
writer's store refuses older values, and what the forwarder sends twice counts once.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ops.retention.places import files_of


@dataclass(frozen=True)
class BackupStep:
    """Paths relative to the state folder (regular expressions) that are copied together, and what they are."""

    what: str
    patterns: tuple[str, ...]
    are_secrets: bool = False
    is_log: bool = False  # what was acknowledged; of a later moment than the rest it is as good

    def holds(self, relative: str) -> bool:
        """Whether a file is of this step."""
        return any(re.fullmatch(pattern, relative) for pattern in self.patterns)


STEPS = (
    BackupStep("the stream's checkpoint", (r"flink/checkpoints/.+", r"flink/operators\.json")),
    BackupStep("the lake's catalog and versions", (r"lake/(catalog|versions)\.db",)),
    BackupStep("the lake's tables", (r"lake/warehouse/.+",)),
    BackupStep("marts", (r"warehouse/marts/.+",)),
    # The checkpoints of positions first: they must not name what the copied segments do not have.
    BackupStep("the event log's positions", (r"kafka/log/[^/]+",), is_log=True),
    BackupStep("the event log", (r"kafka/log/.+/.+",), is_log=True),
    BackupStep("the online store", (r"features/(online\.db|dead_letter\.jsonl.*)",)),
    BackupStep("the forwarder's position", (r"wal/forwarded\.json",), is_log=True),
    BackupStep("the write-ahead log", (r"wal/(?!.*lock$).+",), is_log=True),
    BackupStep("shops, rules and rates", (r"(shops|formats)\.json", r"rules/.+", r"fx_rates/.+", r"identity/unlinks\.jsonl")),
    BackupStep("releases", (r"models/[^/]+/([^/.][^/]*|releases/.+|candidates/TOO_LITTLE)",)),
    BackupStep("what serving logged", (r"serving/(decisions|served_values|catalogues)/.+",)),
    BackupStep("people, uploads, digests and alerts", (r"portal/(portal\.db|uploads/.+)", r"(digests|alerts)/.+")),
    BackupStep("imported files", (r"landing/.+",)),
    BackupStep("runs", (r"runs/.+", r"gates/.+", r"airflow/(airflow\.db|database_version)")),
    BackupStep(
        "secrets",
        (
            r"airflow/(jwt_secret|secret_key|admin_password|passwords\.json)",
            r"superset/(superset\.db|database_version|guest_key|secret_key|admin_password|portal_password)",
            r"serving/preview_secret",
            r"identity/pseudonym_secret",
            r"demo/keys\.json",
        ),
        are_secrets=True,
    ),
)
# What is made anew by itself, and so is in no backup.
LEFT_OUT = (
    r"\.jishi-state",
    r".*\.lock|.*/lock|kafka/log/\.lock",
    r".*\.db-(wal|shm)",  # in the copy of the database
    r"(run|beats|log|spark|site|jupyter|demo|airflow/logs|superset/cache|flink/conf|flink/savepoints)/.+",
    r"flink/checkpoints-before-.+",  # state that knew more than bronze: never read again
    r"flink/upgrade\.json",
    r"upgrade/.+",
    r"kafka/[^/]+",
    r"lake/(plans/.+|boot-id)",
    r"lake/[^/]+-[^/]+/.+",
    r"warehouse/(?!marts/).+",
    r"features/(feature_store\.yaml|registry\.db|\.registry\..*|sources/.+)",
    r"models/[^/]+/(?!releases/).+",
    r"airflow/(airflow\.cfg|standalone.*)",
    r".*/\.[^/]+\.inprogress.*",
)


def step_of(relative: str) -> BackupStep | None:
    """The step that copies a file; None for one that is made anew by itself, or that nobody has thought of."""
    if relative.startswith("flink/") and relative.endswith(".inprogress"):
        return None
    return next((step for step in STEPS if step.holds(relative)), None)


def is_left_out(relative: str) -> bool:
    """Whether a file is known to be made anew by itself."""
    return any(re.fullmatch(pattern, relative) for pattern in LEFT_OUT)


def files_of_step(var: Path, step: BackupStep) -> Iterator[Path]:
    """The files of a step as they are now, oldest first."""
    files = [file for file in files_of(var) if not file.is_symlink() and step_of(str(file.relative_to(var))) is step]
    yield from sorted(files, key=lambda file: file.stat().st_mtime if file.exists() else 0.0)
