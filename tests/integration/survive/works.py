"""The stages that the crash matrix kills, each as it is published for real, small enough to be done hundreds of times.

``python -m tests.integration.survive.works`` is the server that runs them (``chaos.crash``).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb

from chaos.crash import serve
from feature_repo.store import apply, open_store
from jishi.lake.query import open_lake
from jishi.lake.reading import open_version
from jishi.marts import mart_rows
from jishi.paths import Paths
from jishi.settings import Settings
from models.release import registry
from models.release.serving_index import Release
from ops.marts_file import publish_marts
from tests.integration.lake import killed_publishes as lake
from tests.releases import write_candidate

SHOP = "a"
BEGAN = datetime(2026, 6, 1, tzinfo=UTC)


def settings_of(var: str) -> Settings:
    """A platform below a folder."""
    return Settings(var=Path(var), _env_file=None)  # type: ignore[call-arg]


# --- the lake: two tables of silver ---


def publish_lake(var: str, number: int) -> None:
    """Items and orders of a shop, each named by ``number``."""
    lake.publish_shop(settings_of(var), SHOP, str(number))


def read_lake(var: str) -> list[str]:
    """The numbers that the tables of the newest version say."""
    return [row[2] for row in lake.seen(settings_of(var))]


# --- the marts: a DuckDB file, three tables of daily features, and their record ---


def prepare_marts(var: str, number: int) -> None:
    """A finished build of dbt that says ``number`` everywhere; it lies beside the platform."""
    folder = Path(var).parent / "builds"
    folder.mkdir(exist_ok=True)
    lake.dbt_database(folder, number)


def publish_marts_build(var: str, number: int) -> None:
    """Publish the build."""
    settings = settings_of(var)
    publish_marts(settings, open_version(settings), Path(var).parent / "builds" / f"build-{number}.duckdb")


def read_marts(var: str) -> list[str]:
    """The numbers of daily features and marts, and that the marts' file is the one that was recorded."""
    version = open_version(settings_of(var))
    with open_lake(version) as connection:
        [(features,)] = connection.execute("select orders_30d from features_person_daily").fetchall()
    assert version.marts is not None
    assert version.record is not None
    assert version.record.marts is not None
    assert hashlib.sha256(version.marts.read_bytes()).hexdigest() == version.record.marts.sha256
    [row] = mart_rows(version, "select orders_30d from fct_orders")
    return [str(features), str(row["orders_30d"])]


# --- a release of models ---


def prepare_release(var: str, number: int) -> None:
    """A candidate that the gate has passed."""
    write_candidate(settings_of(var).var / "models", SHOP, f"c{number:05}", seed=number)


def publish_release(var: str, number: int) -> None:
    """Make a release of the newest candidate and let serving's pointer lead to it."""
    settings = settings_of(var)
    registry.publish(Paths.of(settings), SHOP, BEGAN)


def read_release(var: str) -> list[str]:
    """The candidate of the release that serving loads, every file verified against the manifest."""
    models = settings_of(var).var / "models"
    version = registry.current_version(models, SHOP)
    assert version is not None
    Release.load(models, SHOP, version)
    return [str(int(registry.candidate_of(models, SHOP, version).removeprefix("c")))]


# --- features that are exported from the lake to Feast's files and registry ---


def prepare_export(var: str, number: int) -> None:
    """A version of the lake whose daily features say ``number``."""
    prepare_marts(var, number)
    publish_marts_build(var, number)


def export_features(var: str, number: int) -> None:
    """Export the newest version's daily features and register their views."""
    settings = settings_of(var)
    apply(settings, Paths.of(settings), open_version(settings))


def read_features(var: str) -> list[str]:
    """The number in the file that the registered view reads."""
    settings = settings_of(var)
    store = open_store(settings, Paths.of(settings))
    [view] = [view for view in store.list_feature_views(allow_cache=False) if view.name == "person_daily"]
    with duckdb.connect() as connection:
        rows = connection.execute("select orders_30d from read_parquet(?)", [str(view.batch_source.path)]).fetchall()
    return [str(number) for (number,) in rows]


def prepare_nothing(var: str, number: int) -> None:
    """Nothing comes before it."""


@dataclass(frozen=True)
class KilledStage:
    """``prepare`` lies before the writes that are killed; ``read`` is what a reader sees, every value the number published."""

    name: str
    prepare: Callable[[str, int], None]
    work: Callable[[str, int], None]
    read: Callable[[str], list[str]]


STAGES = (
    KilledStage("lake", prepare_nothing, publish_lake, read_lake),
    KilledStage("marts", prepare_marts, publish_marts_build, read_marts),
    KilledStage("release", prepare_release, publish_release, read_release),
    KilledStage("features", prepare_export, export_features, read_features),
)
WORKS: dict[str, Callable[..., Any]] = {
    f"{what} {stage.name}": getattr(stage, what) for stage in STAGES for what in ("prepare", "work")
}

if __name__ == "__main__":
    serve(WORKS)
