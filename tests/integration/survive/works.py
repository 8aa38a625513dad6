"""The stages that the crash matrix kills, each as it is published for real, small enough to be done hundreds of times.

``python -m tests.integration.survive.works`` is the server that runs those without a JVM (``chaos.crash``); the others are in
``tests.integration.survive.spark_works``.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

from chaos.crash import serve
from collector.wal.durable import read_durable
from collector.wal.reader import read_entries
from collector.wal.segments import Position, WalLocked
from collector.wal.writer import WalWriter
from decision_log import job
from feature_repo.materialize import materialize
from feature_repo.store import apply, open_store
from jishi.features import ENTITY_COLUMN
from jishi.features.daily import DAILY
from jishi.files import append_line
from jishi.lake.publishing import Replacement, publish
from jishi.lake.query import open_lake
from jishi.lake.reading import open_version
from jishi.lake.release import ClockBehind
from jishi.lake.rows import Rows
from jishi.lake.versions import StaleWriter
from jishi.landing import LandingError
from jishi.marts import mart_rows
from jishi.paths import Paths
from jishi.rules.rule_set import RuleSet
from jishi.rules.versions import RulesChanged, RuleVersions
from jishi.settings import Settings
from jishi.shops import Shop, Shops
from jishi.tables import TableSchema
from models.release import registry
from models.release.serving_index import Release
from ops.marts_file import OlderBuild, publish_marts
from ops.retention.applying import retain_files
from spark_jobs.maintenance import drop_versions
from tests.integration.decision_log.logged_lines import NOW, ListedLog, line
from tests.integration.lake import killed_publishes as lake
from tests.lake import table_of
from tests.releases import write_candidate

if TYPE_CHECKING:
    from feast import FeatureStore

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


# --- a history: landing files, bronze, the registry ---


def import_history(var: str, number: int) -> None:
    """A history of ``number`` views, in place of the one before."""
    lake.import_history(var, SHOP, number)


def read_history(var: str) -> list[str]:
    """How many views bronze has, and how many distinct ones."""
    with open_lake(open_version(settings_of(var))) as connection:
        rows = connection.execute("select count(*), count(distinct event_id) from bronze_history").fetchall()
    return [str(value) for value in rows[0]]


# --- the decision log: records to bronze, answers to silver ---


def prepare_decisions(var: str, number: int) -> None:
    """The shop that answers are of."""
    with Shops.edit(Paths.of(settings_of(var)).shops_file) as shops:
        shops.add(Shop(shop_id="s1", name="s1"))


def build_decisions(var: str, number: int) -> None:
    """Land what is new of a log of ``number`` answers, one a second, and build their days."""
    log = ListedLog()
    for at in range(number):
        log.put(line(f"r{at}", NOW + timedelta(seconds=at), ["a"]), NOW + timedelta(seconds=at))
    job.build_decisions(settings_of(var), log, NOW + timedelta(hours=1))


def read_decisions(var: str) -> list[str]:
    """How many records bronze has, and how many answers silver."""
    with open_lake(open_version(settings_of(var))) as connection:
        counts = "select (select count(*) from bronze_decisions), (select count(distinct request_id) from silver_decisions)"
        return [str(value) for value in connection.execute(counts).fetchall()[0]]


# --- daily features in the online store ---


def prepare_online(var: str, number: int) -> None:
    """A version of the lake whose daily features of three persons say ``number``."""
    daily, times = [], {"event_timestamp": "instant", "created_timestamp": "instant"}
    for table in DAILY:
        key = {"shop_id": "string", ENTITY_COLUMN[table.entity]: "string"}
        schema = TableSchema(table.name, table.meaning, tuple(key), key | times | table.columns)
        row = dict.fromkeys(table.columns, number) | dict.fromkeys(times, BEGAN.replace(tzinfo=None)) | {"shop_id": SHOP}
        rows = [row | {ENTITY_COLUMN[table.entity]: f"e{place}"} for place in range(3)]
        daily.append(Replacement(schema, Rows.all(), table_of(schema, rows)))
    publish(settings_of(var), f"test {number}", lambda base: daily)


def write_online(var: str, number: int) -> None:
    """Bring them to the online store."""
    settings = settings_of(var)
    materialize(settings, Paths.of(settings), BEGAN + timedelta(days=1), DAILY[:1])


@lru_cache
def _online(var: str) -> FeatureStore:
    settings = settings_of(var)
    return open_store(settings, Paths.of(settings))


def read_online(var: str) -> list[str]:
    """What serving gets of the three persons."""
    keys = [{"shop_id": SHOP, "person_id": f"e{n}"} for n in range(3)]
    features = ["person_daily:orders_30d", "person_daily:units_30d"]
    row = _online(var).get_online_features(features, keys).to_dict()
    return [str(value) for name in ("orders_30d", "units_30d") for value in row[name]]


# --- the write-ahead log of the collector: a batch of five events is acknowledged at once ---

BATCH = 5


def append_events(var: str, number: int) -> None:
    """Recover the log and append a batch, in segments of two batches."""
    writer = WalWriter(Paths.of(settings_of(var)).wal, 600)
    batch = [{"collector_id": writer.collector_id, "seq": 0, "event_id": f"{number}-{place}"} for place in range(BATCH)]
    writer.append(batch)  # type: ignore[arg-type]
    append_line(_acknowledged(var), str(number))
    writer.close()


def _acknowledged(var: str) -> Path:
    """Numbers of the batches that were; it lies where no write is counted."""
    return Path(var).parents[2] / f"{Path(var).parent.name}.acknowledged"


def read_events(var: str) -> list[str]:
    """The newest batch that is whole. Raises AssertionError when one that was acknowledged is not, or numbers are missing."""
    folder = Paths.of(settings_of(var)).wal
    acknowledged = set(map(int, _acknowledged(var).read_text().split()))  # first of all: what comes later is not looked for
    durable, at, seqs, batches = read_durable(folder), Position(), [], Counter[int]()
    assert durable is not None
    known = set()
    while entries := read_entries(folder, at, durable):
        at = entries[-1].after
        for entry in entries:
            record = json.loads(entry.body)
            seqs.append(record["seq"])
            known.add(record["event_id"])
    assert seqs == list(range(durable.seq)), "numbers are missing"
    batches.update(int(event_id.split("-")[0]) for event_id in known)
    whole = {number for number, events in batches.items() if events == BATCH}
    assert whole >= acknowledged, f"acknowledged and lost: {acknowledged - whole}"
    return [str(max(whole))]


# --- rules of recommendations, and the registry of shops ---


def publish_rules(var: str, number: int) -> None:
    """One more version of the rules."""
    rules = RuleSet.model_validate({"rules": [{"kind": "hide", "name": "b", "items": {"item_ids": [f"i{number}"]}}]})
    RuleVersions.of(Paths.of(settings_of(var)), SHOP).publish(rules, "test", BEGAN, note=str(number))


def read_rules(var: str) -> list[str]:
    """The rules in use, and their note. Raises AssertionError for a version that cannot be read."""
    newest, problem = RuleVersions.of(Paths.of(settings_of(var)), SHOP).in_use()
    assert problem is None, problem
    assert newest is not None
    [rule] = newest.rules.stated()
    return [newest.facts.note, rule["items"]["item_ids"][0].removeprefix("i")]


def edit_shops(var: str, number: int) -> None:
    """Rename two shops."""
    with Shops.edit(Paths.of(settings_of(var)).shops_file) as shops:
        for shop_id in ("a", "b"):
            shops.add(Shop(shop_id=shop_id, name=str(number)))


def read_shops(var: str) -> list[str]:
    """Their names."""
    return [shop.name for shop in Shops.load(Paths.of(settings_of(var)).shops_file).shops.values()]


# --- retention: old versions of the lake, and files that have had their time ---


def prepare_forgetting(var: str, number: int) -> None:
    """A new version, and files of places that retention takes from."""
    publish_lake(var, number)
    for place in (
        "features/sources/person_daily/{}.parquet",
        "spark/blockmgr-{}/0d/shuffle_0.data",
        "lake/history-{}/a.parquet",
    ):
        file = Path(var) / place.format(number)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"x")


def forget(var: str, number: int) -> None:
    """Forget all versions but the newest two, and take away what is older than its place allows, as of in two months."""
    settings, later = settings_of(var), datetime.now(UTC) + timedelta(days=60)
    drop_versions(settings.model_copy(update={"lake_versions": 2}), later.replace(tzinfo=None))
    retain_files(settings.var, later.timestamp())


def prepare_nothing(var: str, number: int) -> None:
    """Nothing comes before it."""


@dataclass(frozen=True)
class KilledStage:
    """``prepare`` lies before the writes that are killed; ``read`` is what a reader sees, every value the number published.

    ``first`` is done once, on an empty platform. ``is_spark``: the work is done in a JVM.
    """

    name: str
    prepare: Callable[[str, int], None]
    work: Callable[[str, int], None]
    read: Callable[[str], list[str]]
    first: Callable[[str, int], None] = prepare_nothing
    is_spark: bool = False


STAGES = (
    KilledStage("lake", prepare_nothing, publish_lake, read_lake),
    KilledStage("marts", prepare_marts, publish_marts_build, read_marts, publish_lake),
    KilledStage("release", prepare_release, publish_release, read_release),
    KilledStage("features", prepare_export, export_features, read_features, publish_lake),
    KilledStage("import", prepare_nothing, import_history, read_history),
    KilledStage("decisions", prepare_decisions, build_decisions, read_decisions),
    KilledStage("online", prepare_online, write_online, read_online),
    KilledStage("collector", prepare_nothing, append_events, read_events),
    KilledStage("rules", prepare_nothing, publish_rules, read_rules),
    KilledStage("shops", prepare_nothing, edit_shops, read_shops),
    KilledStage("retention", prepare_forgetting, forget, read_lake),
)
# What a work raises when another came first: nothing of it was published.
REFUSALS = (ClockBehind, StaleWriter, OlderBuild, RulesChanged, WalLocked, LandingError)


def works_of(stages: Iterable[KilledStage]) -> dict[str, Callable[..., None]]:
    """The works of stages by the names that a server knows them by."""
    return {f"{what} {stage.name}": getattr(stage, what) for stage in stages for what in ("first", "prepare", "work")}


if __name__ == "__main__":
    serve(works_of(STAGES), REFUSALS)
