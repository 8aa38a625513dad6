"""What is seen of a platform while it soaks (chaos.soak)."""

from __future__ import annotations

from dataclasses import dataclass, field

# Folders whose files are bounded by upkeep, not by traffic; bytes of the others are held against the events that came.
UPKEPT = {"lake": "lake", "checkpoints": "flink/checkpoints", "write-ahead log": "wal", "marts": "warehouse/marts"}


@dataclass(frozen=True)
class PlatformSample:
    """The platform at epoch second ``at``: MiB of each part with its children, files of folders, bytes, lags, events."""

    at: float
    memory_mib: dict[str, float]
    files: dict[str, int]
    disk_mib: float
    state_mib: float
    lag: int
    events: int


@dataclass
class SoakRun:
    """What was seen; ``runs`` are (epoch second, command, seconds, exit code)."""

    began: float
    samples: list[PlatformSample] = field(default_factory=list)
    runs: list[tuple[float, str, float, int]] = field(default_factory=list)
