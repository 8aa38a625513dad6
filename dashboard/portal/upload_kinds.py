"""What a shop's people may upload: for each kind of file the commands that look at it and import it. A new kind is an entry."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from jishi.settings import PROJECT_ROOT

_PRESETS = PROJECT_ROOT / "imports" / "presets"
OWN_MAPPING = "own"


@dataclass(frozen=True)
class UploadKind:
    """``title`` is a text of words; ``command`` is what follows ``python -m imports``, ``presets`` where its known layouts are.

    ``look`` are the options of a trial and ``add`` those of the import, ``options`` those that a person may set.
    ``is_worked_up``: history, which the pipeline brings to the pages; other files go straight into the lake and need new marts.
    ``has_times``: rows may lack the time that they hold from, for which that of the upload stands.
    """

    name: str
    title: str
    command: str
    look: tuple[str, ...]
    add: tuple[str, ...] = ()
    presets: Path | None = None
    is_worked_up: bool = False
    has_times: bool = False
    options: tuple[str, ...] = ()
    most_files: int = 1

    @property
    def layouts(self) -> list[str]:
        """Known layouts, for files whose columns have no names of their own in this platform."""
        return sorted(file.stem for file in self.presets.glob("*.yaml")) if self.presets else []


KINDS = {
    kind.name: kind
    for kind in (
        UploadKind(
            "orders",
            "Orders",
            "orders",
            look=("--add", "--dry-run", "--json"),
            add=("--add",),
            presets=_PRESETS,
            is_worked_up=True,
            options=("decimal", "time-format"),
            most_files=5,
        ),
        UploadKind(
            "items",
            "Items",
            "items",
            look=("--dry-run", "--json"),
            presets=_PRESETS / "items",
            is_worked_up=True,
            has_times=True,
            most_files=5,
        ),
        UploadKind("rates", "Exchange rates", "rates", look=("--dry-run", "--json")),
        UploadKind("spend", "Spend", "spend", look=("--dry-run",), options=("decimal", "time-format")),
    )
}


def look_steps(kind: UploadKind, shop_id: str, files: list[Path], mapping: list[str]) -> list[list[str]]:
    """Arguments behind ``python -m`` of each step that looks at the files and writes nothing."""
    return [["imports", kind.command, *map(str, files), "--shop", shop_id, *mapping, *kind.look]]


def import_steps(kind: UploadKind, shop_id: str, files: list[Path], mapping: list[str]) -> list[list[str]]:
    """Arguments behind ``python -m`` of each step of an import, up to the numbers on the pages."""
    first = ["imports", kind.command, *map(str, files), "--shop", shop_id, *mapping, *kind.add]
    return [first, history_step(shop_id) if kind.is_worked_up else ["ops.marts", "build"]]


def history_step(shop_id: str) -> list[str]:
    """Checks every line, and works the shop's history up as the DAG ``history`` does."""
    return ["ops.cli", "import", "history", "--shop", shop_id, "--work-up"]
