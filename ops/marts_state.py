"""What dbt's database was built from: the note beside it that lets the next build continue it instead of beginning anew.

The note is taken away before the database is touched and written when every model and test is fine, so a build that died, at
whatever point, leaves none and the next one is a full build.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from jishi.files import write_atomically
from jishi.lake.reading import LakeVersion, open_version
from jishi.lake.versions import VersionNotFound
from jishi.paths import Paths
from jishi.settings import PROJECT_ROOT, Settings
from jishi.shops import Shops
from ops.dbt import DBT

MOST_GROWTH = 3.0  # rows that are replaced leave holes in the file: at so many times its first size it is written anew,
LEAST_GROWN_BYTES = 2**28  # where it is larger than this
_CODE = ("ops/dbt.py", "ops/marts_state.py", "ops/marts_changes.py", "ops/marts_file.py", "ops/marts_tests.py")
_ENGINES = ("duckdb", "dbt-core", "dbt-duckdb")


@dataclass(frozen=True)
class BuiltState:
    """A finished build: the version of the lake, the code, what each shop had set, the file's size after the last full build.

    ``marts`` is the published file (below the warehouse), None until there is one. The database has rows of shops that were
    ``held`` back, and which tests refuse, and none of those that were ``left_out``; the file has older rows of both.
    """

    version: int
    project: str
    registry: dict[str, Any]
    full_bytes: int
    marts: str | None = None
    held: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)

    def write(self, paths: Paths) -> None:
        """Keep the note."""
        write_atomically(_file(paths), json.dumps(asdict(self)))


def take_state(paths: Paths) -> BuiltState | None:
    """The note of the last build, which is taken away; None where the last one did not end well, or other code wrote it."""
    file = _file(paths)
    try:
        content = file.read_bytes()
    except FileNotFoundError:
        return None
    file.unlink()
    try:
        return BuiltState(**json.loads(content))
    except (ValueError, TypeError):
        return None


def version_to_continue(
    settings: Settings, database: Path, state: BuiltState | None, left_out: Collection[str] = ()
) -> tuple[LakeVersion | None, str]:
    """The version that dbt's database holds, or None with the reason why it cannot be continued."""
    if state is None or not database.exists():
        return None, "no finished build is there to continue"
    if state.project != project_checksum():
        return None, "models, rules or engines have changed"
    if moved := sorted(set(left_out) ^ set(state.left_out)):
        return None, f"shops have left the registry or come back to it: {', '.join(moved)}"
    if database.stat().st_size > max(LEAST_GROWN_BYTES, MOST_GROWTH * state.full_bytes):
        return None, "the database has grown by what was replaced in it and is written anew"
    try:
        return open_version(settings, state.version), ""
    except VersionNotFound:
        return None, f"version {state.version}, from which the last build was made, is no longer kept"


def project_checksum() -> str:
    """Changes with dbt's project, the declared tables, the rules of continuing and the engines."""
    digest = hashlib.sha256(json.dumps([version(name) for name in _ENGINES]).encode())
    declared = [*(PROJECT_ROOT / "jishi/tables").rglob("*.py"), *(PROJECT_ROOT / name for name in _CODE)]
    for file in sorted([*(file for kind in ("*.sql", "*.yml") for file in DBT.rglob(kind)), *declared]):
        digest.update(f"{file.relative_to(PROJECT_ROOT)}\0".encode() + file.read_bytes())
    return digest.hexdigest()


def registry_of(shops: Shops) -> dict[str, Any]:
    """What each shop has set that a mart depends on."""
    return {
        shop_id: [
            *(shop.name, shop.time_zone, shop.currency),
            *(rules.model_dump(mode="json") for rules in (shop.customers, shop.items, shop.funnel)),
        ]
        for shop_id, shop in sorted(shops.shops.items())
    }


def _file(paths: Paths) -> Path:
    return paths.warehouse / "build.json"
