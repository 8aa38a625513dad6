"""MetricFlow as the generator of SQL: from a question about metrics to one SELECT in DuckDB's dialect; it runs nothing."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from copy import deepcopy
from datetime import date, datetime, time
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from jishi.metrics.days import ALL_DAYS, TimeRange
from jishi.metrics.definitions import Manifest, amounts_of, is_additive, is_zero_without_rows, known_from
from jishi.metrics.pruning import pruned

if TYPE_CHECKING:
    from metricflow.engine.metricflow_engine import MetricFlowEngine


_TIME = "metric_time__"
_TIMES = [_TIME + grain for grain in ("day", "week", "month", "quarter", "year")]
# What MetricFlow says of a name that it cannot group or filter by, alone or in a filter.
_NO_DIMENSION = re.compile(r"does not match any.*?(?:Query|Object Builder) Input:\s+(?:\w+\(')?(\w+)(?:'\))?\n", re.DOTALL)


class MetricQueryRefused(ValueError):
    """A question that MetricFlow cannot answer: an unknown metric or dimension, a filter that does not parse."""


class MetricSql:
    """Questions about metrics as SQL. ``database``: the name under which the marts are attached, None: the connection's own."""

    def __init__(self, manifest: Manifest, database: str | None = None) -> None:
        self._manifest = _located(manifest, database)
        self._metrics = {metric["name"]: metric for metric in manifest["metrics"]}
        self._models = {model["name"]: model for model in manifest["semantic_models"]}
        self._shop_days = f"{database}.main.fct_shop_days" if database else "main.fct_shop_days"
        self._exports = {
            export["name"]: query["name"] for query in manifest["saved_queries"] for export in query.get("exports") or ()
        }
        self._saved: dict[str, Any] = {query["name"]: query["query_params"] for query in manifest["saved_queries"]}
        for parameters in (query["query_params"] for query in self._manifest["saved_queries"]):
            parameters["metrics"] = [*parameters["metrics"], *self._counts_beside(parameters["metrics"])]
        self._engine: MetricFlowEngine | None = None
        # Every time dimension of these models is a date; tests/unit/jishi/test_metric_pruning.py holds them to it.
        self._dates = {
            str(dimension["expr"] or dimension["name"])
            for model in manifest["semantic_models"]
            for dimension in model["dimensions"]
            if dimension["type"] == "time"
        }

    @property
    def exports(self) -> Mapping[str, str]:
        """The saved queries that are written as tables, by the table's name."""
        return dict(self._exports)

    def select(
        self,
        metrics: Sequence[str],
        by: Sequence[str] = (),
        *,
        shop_id: str | None = None,
        where: Sequence[str] = (),
        days: TimeRange = ALL_DAYS,
        order: Sequence[str] = (),
        limit: int | None = None,
    ) -> str:
        """SELECT one row for each shop and value of ``by``: metric_time__day, visit__channel, customer__segment, ….

        A number never spans shops: ``shop`` is always a column. Rows are in the order of all columns, or of ``order``, where a
        minus means the greatest first. ``where`` holds MetricFlow's filters, such as
        ``{{ Dimension('visit__channel') }} = 'app'``, and is trusted text. Raises MetricQueryRefused.
        """
        for name in metrics:
            if name not in self._metrics:
                raise MetricQueryRefused(
                    f"there is no metric {name!r}{_nearest(name, [*self._metrics])}; see: jishi metrics list"
                )
        filters = list(where)
        if shop_id is not None:
            filters.append("{{ Entity('shop') }} = " + _literal(shop_id))
        grains = [each.removeprefix(_TIME) for each in by if each.startswith(_TIME)]
        sql = self._sql(
            metrics,
            grains[0] if grains else None,
            days.until,
            metric_names=[*metrics, *self._counts_beside(metrics)],
            group_by_names=list(dict.fromkeys(["shop", *by])),
            where_constraints=filters or None,
            time_constraint_start=None if days.since is None else datetime.combine(days.since, time()),
            time_constraint_end=None if days.until is None else datetime.combine(days.until, time()),
        )
        columns = [*metrics, "shop", *by]
        for column in (each.removeprefix("-") for each in order):
            if not column.isidentifier() or not any(column.startswith(known) for known in columns):
                raise MetricQueryRefused(f"the answer has no column {column!r} to order by; it has {', '.join(columns)}")
        by_columns = ", ".join(f"{each[1:]} DESC" if each.startswith("-") else each for each in order) or "ALL"
        return f"{sql}\nORDER BY {by_columns}" + (f"\nLIMIT {limit}" if limit is not None else "")

    def dimensions(self, metric: str) -> list[str]:
        """What a metric can be asked by, besides the shop and time, such as visit__channel. Raises MetricQueryRefused."""
        if metric not in self._metrics:
            raise MetricQueryRefused(f"there is no metric {metric!r}{_nearest(metric, [*self._metrics])}")
        return self._dimensions([metric])

    def _dimensions(self, metrics: Sequence[str]) -> list[str]:
        names = (each.dunder_name for each in self._flow().simple_dimensions_for_metrics([*metrics]))
        return sorted(name for name in names if name.count("__") == 1 and not name.startswith((_TIME, "shop__")))

    def _refusal(self, error: Exception, metrics: Sequence[str]) -> str:
        """What MetricFlow says, or in a sentence by what these metrics cannot be asked and by what they can."""
        if (match := _NO_DIMENSION.search(str(error))) is None:
            return str(error)
        known = [*self._dimensions(metrics), *_TIMES]
        by_last_word = {name.rpartition("__")[2]: name for name in known}
        near = _nearest(match[1], known)
        if not near and (word := get_close_matches(match[1].rpartition("__")[2], by_last_word, n=1)):
            near = f", perhaps {by_last_word[word[0]]!r}"
        cannot = "cannot" if len(metrics) == 1 else "cannot together"
        return f"{', '.join(metrics)} {cannot} be asked by {match[1]!r}{near}; known: {', '.join(known)}"

    def saved(self, name: str) -> str:
        """SELECT what a saved query holds. Raises MetricQueryRefused."""
        known = self._saved
        if name not in known:
            raise MetricQueryRefused(f"there is no saved query {name!r}{_nearest(name, [*known])}; known: {', '.join(known)}")
        parameters = known[name]
        grain = re.search(r"TimeDimension\('metric_time', '(\w+)'\)", " ".join(parameters["group_by"]))
        return self._sql(parameters["metrics"], grain[1] if grain else None, saved_query_name=name)

    def _sql(self, metrics: Sequence[str], grain: str | None, until: date | None = None, **request: Any) -> str:
        """The statement. ``grain`` is the answer's, None without time in it; ``until`` the last day asked for."""
        from metricflow.engine.metricflow_engine import MetricFlowQueryRequest, OutputColumnOrderMode
        from metricflow_semantics.errors.error_classes import MetricFlowException

        asked = MetricFlowQueryRequest.create(output_column_order_mode=OutputColumnOrderMode.INPUT_ORDER, **request)
        try:
            sql = pruned(self._flow().explain(asked).sql_statement.without_descriptions.sql.rstrip(), self._dates)
        except MetricFlowException as error:
            raise MetricQueryRefused(self._refusal(error, metrics)) from error
        # MetricFlow fills single counts and sums; a sum of those is null where none of them has a row.
        derived = [name for name in metrics if self._metrics[name]["type"] == "derived"]
        shown = {name: f"COALESCE({name}, 0)" for name in derived if is_zero_without_rows(name, self._metrics)}
        shown |= {name: self._where_known(name, grain, until) for name in metrics if self._is_of_storefront(name)}
        for name in metrics:
            if is_unknown := self._has_no_amount(name):
                shown[name] = f"CASE WHEN NOT ({is_unknown}) THEN {shown.get(name, name)} END"
        replaced = ", ".join(f"{expression} AS {name}" for name, expression in shown.items())
        left_out = ", ".join(self._counts_beside(metrics))
        columns = "*" + (f" EXCLUDE ({left_out})" if left_out else "") + (f" REPLACE ({replaced})" if replaced else "")
        return f"SELECT {columns} FROM (\n{sql}\n)"

    def _has_no_amount(self, name: str) -> str:
        """Whether there is something and none of it has an amount; empty for a metric that is of no such amounts."""
        pairs = sorted(amounts_of(name, self._metrics))
        counts = [[f"COALESCE({count}, 0)" for count in pair] for pair in pairs]
        if counts and is_additive(name, self._metrics):
            counts = [[" + ".join(column) for column in zip(*counts, strict=True)]]
        return " OR ".join(f"({of_all} > 0 AND {priced} = 0)" for of_all, priced in counts)

    def _counts_beside(self, metrics: Sequence[str]) -> list[str]:
        """The counts that say whether amounts are known, without those that are asked for anyway."""
        counts = {count for name in metrics for pair in amounts_of(name, self._metrics) for count in pair}
        return sorted(counts.difference(metrics))

    def _is_of_storefront(self, name: str) -> bool:
        """Whether a count or sum is of acts in a storefront, which a till does not have: there it is unknown and not 0."""
        if not is_zero_without_rows(name, self._metrics):
            return False
        return known_from(name, self._metrics, self._models) == "storefront"

    def _where_known(self, name: str, grain: str | None, until: date | None) -> str:
        """The number from the first act in the shop's storefront on: by the days of the answer where it has any, else where the
        days asked for reach it.
        """
        since = f"SELECT MIN(shop_date) FROM {self._shop_days} WHERE shop_id = shop AND visitors IS NOT NULL"
        if grain:
            is_known = f"{_TIME}{grain} >= DATE_TRUNC('{grain}', ({since}))"
        else:
            is_known = f"({since}) " + (f"<= CAST('{until}' AS DATE)" if until else "IS NOT NULL")
        return f"CASE WHEN {is_known} THEN {name} END"

    def _flow(self) -> MetricFlowEngine:
        """The engine; importing it takes a second or two, so it waits for the first question."""
        if self._engine is None:
            from metricflow.engine.metricflow_engine import MetricFlowEngine
            from metricflow_semantics.model.dbt_manifest_parser import parse_manifest_from_dbt_generated_manifest
            from metricflow_semantics.model.semantic_manifest_lookup import SemanticManifestLookup

            manifest = parse_manifest_from_dbt_generated_manifest(json.dumps(self._manifest))
            self._engine = MetricFlowEngine(SemanticManifestLookup(manifest), _duckdb_dialect())
        return self._engine


def equals(dimension: str, value: str) -> str:
    """A filter for ``select``: rows whose dimension has the value, whatever signs it holds. Raises MetricQueryRefused."""
    if not dimension.isidentifier():
        raise MetricQueryRefused(f"{dimension!r} is no dimension")
    return "{{ Dimension('" + dimension + "') }} = " + _literal(value)


def _duckdb_dialect() -> Any:
    """What MetricFlow asks of a client before it runs anything: the dialect. Running SQL is the caller's."""
    from types import SimpleNamespace

    from metricflow.protocols.sql_client import SqlEngine
    from metricflow.sql.render.duckdb_renderer import DuckDbSqlPlanRenderer

    return SimpleNamespace(sql_engine_type=SqlEngine.DUCKDB, sql_plan_renderer=DuckDbSqlPlanRenderer())


def _located(manifest: Manifest, database: str | None) -> dict[str, Any]:
    """The manifest with the marts where they are now, and with zero for counts and sums of nothing."""
    located = deepcopy(dict(manifest))
    relations = [*located["semantic_models"], *located["project_configuration"]["time_spines"]]
    for relation in (each["node_relation"] for each in relations):
        name = f"main.{relation['alias']}"
        relation |= {"database": database, "schema_name": "main", "relation_name": f"{database}.{name}" if database else name}
    # A count or sum of nothing is 0. dbt-core 1.12 drops the YAML's fill_nulls_with on its way here (its issue 13037).
    by_name = {metric["name"]: metric for metric in located["metrics"]}
    for name, metric in by_name.items():
        if is_zero_without_rows(name, by_name):
            metric["type_params"]["fill_nulls_with"] = 0
    return located


def _literal(text: str) -> str:
    """A string literal of SQL inside a template. Raises MetricQueryRefused for what only a template would hold."""
    if any(mark in text for mark in ("{{", "{%", "{#")):
        raise MetricQueryRefused(f"{text!r} cannot be compared with: it holds the sign of a template")
    return "'" + text.replace("'", "''") + "'"


def _nearest(name: str, known: Sequence[str]) -> str:
    close = get_close_matches(name, known, n=1)
    return f", perhaps {close[0]!r}" if close else ""
