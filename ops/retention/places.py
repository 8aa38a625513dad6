"""Every place that a platform writes to, with the rule that bounds it: the inventory behind ``jishi retain``.

``pattern`` is relative to the state folder; ``*`` is any name, ``**`` any depth. A file belongs to the first place that matches
it. A file that matches none fails ``tests/e2e`` and ``tests/unit/ops/test_retention.py``.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from ops.retention.rules import (
    Fixed,
    FoldersOlderThan,
    GrowsWithTraffic,
    OlderThan,
    PartKeeps,
    Rotated,
    RowsOlderThan,
    Rule,
)

_UNIT, _INTEGRATION = "tests/unit/", "tests/integration/"


@dataclass(frozen=True)
class Place:
    """Files of one kind: where they lie, what they are, and what bounds them."""

    pattern: str
    what: str
    rule: Rule


PLACES = (
    # --- events on their way ---
    Place(
        "wal/segment-*",
        "write-ahead segments and their counts",
        PartKeeps(
            "JISHI_WAL_KEEP_S after the event log has them",
            _UNIT + "collector/test_retire.py::test_what_the_event_log_has_is_deleted_and_stays_counted",
        ),
    ),
    Place("wal/damaged-*.bin", "bytes of entries that could not be read", OlderThan(400)),
    Place("wal/damaged.jsonl", "notes of them, which reconciliation counts", Fixed("a line a damage of the disk")),
    Place("wal/**", "positions, sums by shop, items as the tracker fills them in", Fixed("one file each; sums by shop")),
    Place(
        "kafka/log/**",
        "the embedded broker's topics",
        PartKeeps("7 days by jishi.topics (2 of shop counters)", _UNIT + "ops/test_retention.py::test_every_topic_ends"),
    ),
    Place("kafka/*", "the broker's configuration", Fixed("written at each start")),
    Place("landing/unreadable/**", "values of the event log that are no records", OlderThan(90)),
    Place("landing/history/.*.import/**", "imports that were cut off, and go on when started again", OlderThan(30)),
    Place("landing/**", "landing files of imported history", Fixed("one import a shop; the next replaces it")),
    # --- stream ---
    Place(
        "flink/checkpoints/*/",
        "checkpoints of the running computation, and of those before it",
        FoldersOlderThan(8, but_newest=1),  # the log has nothing older to go on from
    ),
    Place(
        "flink/savepoints/**",
        "the savepoint of the last upgrade",
        PartKeeps(
            "one: the next upgrade takes it away",
            _UNIT + "flink_jobs/test_checkpoints.py::test_savepoints_of_earlier_upgrades_are_dropped",
        ),
    ),
    Place(
        "flink/checkpoints-before-*/",
        "state that knew more than bronze after a power cut (ops.lake_tables)",
        FoldersOlderThan(8),
    ),
    Place("flink/**", "configuration and names of operators", Fixed("written at each start")),
    # --- lake and marts ---
    Place(
        "lake/warehouse/*/*/metadata/**",
        "snapshots of tables",
        PartKeeps(
            "JISHI_LAKE_KEEP_HOURS, JISHI_LAKE_VERSIONS, JISHI_LAKE_LIVE_COMMITS",
            _INTEGRATION + "stream/test_maintenance.py::test_nothing_is_lost_or_doubled",
        ),
    ),
    Place("lake/warehouse/**", "rows of tables", GrowsWithTraffic("a row an event; files are joined and orphans removed")),
    Place(
        "lake/plans/**",
        "lists of files of snapshots",
        PartKeeps("those of kept versions", _INTEGRATION + "lake/test_reading.py::test_a_lost_plan_is_made_again"),
    ),
    Place("lake/*.db*", "catalog and versions", Fixed("a row a table and a kept version")),
    Place("lake/*.lock", "locks", Fixed("empty")),
    Place("lake/boot-id", "the machine's start at which its tables were checked", Fixed("one file")),
    Place("lake/*-*/**", "what an import that died left", OlderThan(2)),
    Place(
        "warehouse/marts/**",
        "marts of kept versions",
        PartKeeps(
            "those that a kept version names, others a day",
            _INTEGRATION + "lake/test_marts_file.py::test_files_that_no_version_names_go_after_a_day",
        ),
    ),
    Place("warehouse/**", "dbt's working file and its last run", Fixed("replaced by each build")),
    Place("spark/**", "Spark's scratch", OlderThan(7)),
    # --- features, models, answers ---
    Place("features/dead_letter.jsonl*", "feature messages that could not be read", Rotated(64)),
    Place("features/sources/**", "daily tables as files for Feast", OlderThan(30, but_newest=3)),
    Place(
        "features/**",
        "Feast's registry and the embedded online store",
        PartKeeps(
            "a value until it holds no more and JISHI_ONLINE_KEEP_DAYS",
            _INTEGRATION + "feature_repo/test_bootstrap.py::test_old_rows_expire_and_young_ones_stay",
        ),
    ),
    Place("models/*/candidates/*/", "candidates for a release", FoldersOlderThan(14, but_newest=3, but_named_in="LATEST")),
    Place(
        "models/*/releases/*/**",
        "releases",
        PartKeeps("the newest 5 a shop", _UNIT + "ops/test_retention.py::test_the_newest_releases_stay"),
    ),
    Place(
        "models/*/switches.jsonl",
        "which release was put in use when, by whom and why",
        PartKeeps(
            "the newest 1,000 lines at least, and what people took back",
            _UNIT + "models/release/test_switches.py::test_old_lines_go_and_what_was_taken_back_stays_so",
        ),
    ),
    Place("models/**", "pointers, notes and switches of releases", Fixed("one file each; a line a switch")),
    Place("serving/served_values/*/*", "feature values that serving used", OlderThan(9)),
    Place("serving/decisions/*/*", "the decision log", OlderThan(9)),
    Place("serving/catalogues/*/*", "items that logged answers were made from", OlderThan(10)),
    Place("serving/**", "secrets and positions", Fixed("one file each")),
    # --- what people make and read ---
    Place(
        "portal/portal.db*",
        "people, sessions, audit log, alerts, deliveries",
        RowsOlderThan(400, ("dashboard.portal", "forget"), "audit log, alerts and deliveries"),
    ),
    Place(
        "portal/uploads/**",
        "uploaded files",
        PartKeeps(
            "20 a shop",
            _UNIT + "dashboard/portal/test_uploads.py::test_one_upload_of_a_shop_runs_at_a_time_and_a_cut_off_one_says_so",
        ),
    ),
    Place("portal/**", "locks and secrets", Fixed("one file each")),
    Place("digests/*/*", "weekly digests", OlderThan(400, but_newest=4)),
    Place("alerts/*/*", "alerts", OlderThan(400)),
    Place("rules/**", "versions of recommendation rules", Fixed("one for each change by a person; answers name them")),
    Place("identity/**", "unlinks and the secret of pseudonyms", Fixed("a line for each request of a person")),
    Place("fx_rates/*", "exchange rates", Fixed("a file a shop")),
    Place("settings.env", "what the platform's own commands set for it", Fixed("replaced by the next demo")),
    Place("shops.json", "the registry", Fixed("an entry a shop")),
    Place(".shops.json.lock", "its lock", Fixed("empty")),
    Place("formats.json", "formats of what lies here", Fixed("an entry a format")),
    Place("upgrade/**", "small databases as they were before the newest upgrade", Fixed("the next upgrade replaces them")),
    Place("demo/**", "what the demo leaves", Fixed("replaced by the next demo")),
    Place("site/**", "static pages", Fixed("replaced by each build")),
    Place("jupyter/**", "settings of notebooks", Fixed("replaced at each start")),
    # --- engines' own ---
    Place("gates/held/*", "shops whose tables a gate refused", Fixed("a file a shop, which goes when a build passes")),
    Place("gates/**", "what people have called true", Fixed("a line for each")),
    Place("runs/*/", "ledgers of runs over shops", FoldersOlderThan(30, but_newest=20)),
    Place(
        "airflow/airflow.db*",
        "runs of DAGs",
        RowsOlderThan(
            90,
            ("ops.airflow_database", "forget"),
            "runs of DAGs, each DAG's newest excepted, also where PostgreSQL has them",
            address="airflow_database_url",
            needs="airflow",
        ),
    ),
    Place("airflow/logs/**", "logs of reading DAGs", OlderThan(30)),
    Place("airflow/**", "Airflow's secrets and configuration", Fixed("one file each")),
    Place("superset/cache/**", "states of filters", OlderThan(7)),
    Place(
        "superset/superset.db*",
        "boards, and who looked at them",
        RowsOlderThan(90, ("dashboard", "forget"), "the log of who looked at what"),
    ),
    Place("superset/**", "Superset's secrets", Fixed("one file each")),
    # --- running ---
    Place("log/airflow/**", "logs of tasks", OlderThan(30)),
    Place("log/traces/*", "traces, where they are asked for", Rotated(64)),
    Place("log/openlineage/**", "OpenLineage events, where they are asked for", Rotated(64)),
    Place("log/dbt/**", "logs of dbt", Rotated(64)),
    Place("log/operators.jsonl*", "what operators were told", Rotated(16)),
    Place("log/work-up.log*", "what a new shop's first build said", Rotated(16)),
    Place("log/backfill.log*", "what the steps of backfills said", Rotated(16)),
    Place("log/setup.log*", "what was prepared at each start", Rotated(16)),
    Place(
        "log/**",
        "logs of parts",
        PartKeeps("three of 20 MB a part", _UNIT + "ops/test_retention.py::test_every_log_of_a_part_is_rotated"),
    ),
    Place("beats/**", "life signs", Fixed("one file a part, of forwarders one a collector")),
    Place("run/**", "sockets, configuration of the supervisor", Fixed("one file a part")),
    Place("settings.restored.env", "settings of the platform that a backup was of", Fixed("one file")),
    Place(".jishi-state", "the mark of the folder", Fixed("one file")),
)


def place_of(relative: str) -> Place | None:
    """The place of a file by its path relative to the state folder; None for one that nobody has thought of."""
    match = _any_place().fullmatch(relative)
    return PLACES[int(str(match.lastgroup)[1:])] if match is not None else None


def files_of(var: Path) -> Iterator[Path]:
    """Every file and link of a platform; links are not followed."""
    for folder, _, names in os.walk(var, followlinks=False):
        for name in names:
            yield Path(folder) / name


@cache
def _any_place() -> re.Pattern[str]:
    """All patterns as one, the first that matches named by its number: thousands of files are asked for at once."""
    return re.compile("|".join(f"(?P<p{number}>{_expression(place.pattern)})" for number, place in enumerate(PLACES)))


def _expression(pattern: str) -> str:
    """A pattern that ends in a slash is of whole folders, and holds all that lies in them."""
    parts = re.split(r"(\*\*|\*)", pattern + "**" if pattern.endswith("/") else pattern)
    return "".join({"**": ".+", "*": "[^/]*"}.get(part, re.escape(part)) for part in parts)
