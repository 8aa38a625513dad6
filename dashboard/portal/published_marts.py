"""The published marts, opened once for all requests: a read-only database a version, bounded in memory, threads and time.

What one request was answered is kept for the next ones (``kept_answers``).
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from dashboard.portal.kept_answers import KeptAnswer, KeptAnswers
from jishi.lake import TableNotPublished
from jishi.lake.query import quoted
from jishi.lake.reading import open_version
from jishi.metrics import ALL_DAYS, STAND_IN, Metric, MetricSql, TimeRange, dates_of, metrics_of, stand_in_for, with_days
from jishi.settings import Settings

if TYPE_CHECKING:
    import duckdb

# For all requests together; a merchant's page reads a shop's rows, which are few of a version's.
MEMORY_LIMIT, THREADS = "1GB", 2
STATEMENT_S = 10.0
KEPT_QUESTIONS = 500
_MAKING = threading.Lock()


class TooSlow(TimeoutError):
    """A statement took longer than ``STATEMENT_S`` and was stopped."""


class MetricsUnreadable(TableNotPublished):
    """The definitions of metrics beside the marts are damaged."""


class MetricQuestion(NamedTuple):
    """What is asked of the metric layer; the same for every shop and any days, so that its SQL is generated once."""

    metrics: tuple[str, ...]
    by: tuple[str, ...] = ()
    where: tuple[str, ...] = ()
    days: TimeRange = ALL_DAYS
    order: tuple[str, ...] = ()
    limit: int | None = None


class _Questions:
    """A metric layer, with the answers that it gave. The first takes seconds, in which MetricFlow is read."""

    def __init__(self, manifest: dict[str, Any]) -> None:
        generator, alone = MetricSql(manifest, "temp"), threading.Lock()

        @lru_cache(maxsize=KEPT_QUESTIONS)
        def sql(question: MetricQuestion) -> str:
            with alone:  # MetricFlow's engine is not made for several threads
                return generator.select(
                    question.metrics,
                    question.by,
                    where=question.where,
                    days=question.days,
                    order=question.order,
                    limit=question.limit,
                )

        @lru_cache(maxsize=KEPT_QUESTIONS)
        def dimensions(metric: str) -> list[str]:
            with alone:
                return generator.dimensions(metric)

        def sql_of_days(question: MetricQuestion) -> str:
            if any(str(place) in text for text in question.where for place in (STAND_IN.since, STAND_IN.until)):
                return sql(question)
            of_any_days = sql(question._replace(days=stand_in_for(question.days)))
            return with_days(of_any_days, question.days) or sql(question)

        self.sql: Callable[[MetricQuestion], str] = sql_of_days
        self.dimensions: Callable[[str], list[str]] = dimensions


@lru_cache(maxsize=2)  # while a build is replaced both are asked
def _questions_of(semantic_manifest: str) -> _Questions:
    """Those of all builds with these definitions: a nightly build rarely brings others, and SQL is generated once."""
    return _Questions(json.loads(semantic_manifest))


@dataclass(frozen=True)
class MartsBuild:
    """The marts of one version; ``columns`` are those of every mart."""

    file: Path
    database: duckdb.DuckDBPyConnection
    columns: dict[str, list[str]]
    version: int
    built_at: datetime
    semantic_manifest: str | None
    answers: KeptAnswers = field(default_factory=KeptAnswers)

    @cached_property
    def metrics(self) -> dict[str, Metric]:
        """The metrics that were published with the marts, by name. Raises TableNotPublished."""
        return metrics_of(self._manifest)

    @cached_property
    def metric_marts(self) -> list[str]:
        """Marts that generated SQL reads."""
        declared = [*self._manifest["semantic_models"], *self._manifest["project_configuration"]["time_spines"]]
        return sorted({each["node_relation"]["alias"] for each in declared} & self.columns.keys())

    @cached_property
    def metric_sql(self) -> Callable[[MetricQuestion], str]:
        """SELECT over views in the catalog ``temp``, which hold the rows of one shop. Raises MetricQueryRefused."""
        return self._questions.sql

    @cached_property
    def dimensions(self) -> Callable[[str], list[str]]:
        """What a metric can be asked by, besides the shop and time. Raises MetricQueryRefused."""
        return self._questions.dimensions

    def dates_of(self, metric: str) -> set[str]:
        """The dimensions that are a metric's own time (``jishi.metrics.dates_of``)."""
        return dates_of(metric, self._manifest)

    @property
    def _questions(self) -> _Questions:
        assert self._manifest  # it can be read
        with _MAKING:  # two visitors who ask at once wait for the same engine
            return _questions_of(self.semantic_manifest or "")

    @cached_property
    def _manifest(self) -> dict[str, Any]:
        if self.semantic_manifest is None:
            raise TableNotPublished("these marts were published without metrics; run: python -m ops.marts build --again")
        try:
            manifest = json.loads(self.semantic_manifest)
        except ValueError:
            manifest = None
        if not isinstance(manifest, dict) or not {"metrics", "semantic_models"} <= manifest.keys():
            raise MetricsUnreadable("the metrics of these marts cannot be read; run: python -m ops.marts build --again")
        return manifest


class PublishedMarts:
    """The newest recorded marts of a platform. Several threads may ask at once; each reads with a cursor of its own."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._build: MartsBuild | None = None
        self._alone = threading.Lock()

    def newest(self) -> MartsBuild:
        """The newest build, opened when it is another one than before. Raises TableNotPublished before the first.

        The older one is left to the requests that still read it and ends with the last of them.
        """
        file = open_version(self._settings).marts
        if file is None or not file.exists():
            raise TableNotPublished("no marts are published yet; run: python -m ops.marts build")
        with self._alone:
            if self._build is None or self._build.file != file:
                self._build = _opened(file)
            return self._build


@contextmanager
def cursor_of(build: MartsBuild) -> Iterator[duckdb.DuckDBPyConnection]:
    """A cursor for one request; its temporary views are seen by nobody else and end with it."""
    with build.database.cursor() as cursor:
        yield cursor


def answer_within_time(cursor: duckdb.DuckDBPyConnection, sql: str, parameters: list[Any]) -> KeptAnswer:
    """What a statement gives. Raises TooSlow."""
    import duckdb

    timer = threading.Timer(STATEMENT_S, cursor.interrupt)
    timer.daemon = True
    timer.start()
    try:
        rows = cursor.execute(sql, parameters).fetchall()
        return KeptAnswer(tuple(name for name, *_ in cursor.description or ()), rows)
    except duckdb.InterruptException:
        raise TooSlow(f"a page's statement was stopped after {STATEMENT_S:.0f} s: {sql[:200]}") from None
    finally:
        timer.cancel()


def _opened(file: Path) -> MartsBuild:
    import duckdb

    database = duckdb.connect(config={"threads": THREADS, "memory_limit": MEMORY_LIMIT})
    database.execute(f"attach {quoted(str(file))} as published (read_only)")
    database.execute("set enable_external_access = false")
    database.execute("set lock_configuration = true")
    columns: dict[str, list[str]] = {}
    for mart, column in database.execute(
        "select table_name, column_name from duckdb_columns() where database_name = 'published' "
        "order by table_name, column_index"
    ).fetchall():
        columns.setdefault(mart, []).append(column)
    [build] = database.execute("from published.build").fetchall()
    facts = dict(zip([name for name, *_ in database.description or ()], build, strict=True))
    return MartsBuild(file, database, columns, facts["version"], facts["built_at"], facts.get("semantic_manifest"))
