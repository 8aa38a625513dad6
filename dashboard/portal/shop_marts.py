"""The one way from a page to a number: the published marts of the recorded version, of which one shop's rows can be seen.

Pages write no SQL. They ask for columns of a mart; the shop's condition is put in here and nowhere else.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from dashboard.portal.kept_answers import KeptAnswer
from dashboard.portal.published_marts import MartsBuild, MetricQuestion, PublishedMarts, answer_within_time, cursor_of
from jishi.lake import TableNotPublished
from jishi.lake.query import quoted
from jishi.settings import Settings

if TYPE_CHECKING:
    import duckdb

# Marts without a shop's rows: the same names for everybody.
SHARED = frozenset({"dim_segments", "dim_days"})
_SHOP_COLUMNS = ("shop_id", "shop")  # exported saved queries of the metric layer call it by its entity
PERSONS = "dim_customers"
OF_PERSONS = frozenset({PERSONS, "fct_customer_values"})  # marts of one row a customer
_READ = re.compile(r"\btemp\.main\.(\w+)")  # what generated SQL reads
_NAME = re.compile(r"[a-z][a-z0-9_]*")


class Among(NamedTuple):
    """The values of a column in the rows of another mart that hold conditions."""

    mart: str
    column: str
    where: tuple[Condition, ...] = ()


class Condition(NamedTuple):
    """What rows must hold: ``column operator value``; ``in`` takes a list, or what is ``Among`` the rows of another mart, ``not
    in`` such rows alone.
    """

    column: str
    operator: Literal["=", ">=", "<=", "contains", "in", "not in", "is null", "is not null"]
    value: Any


class SortKey(NamedTuple):
    """A column to sort by; unknown values come last."""

    column: str
    is_descending: bool = False


@dataclass(frozen=True)
class ShopMarts:
    """One shop's rows of the marts of a version; what has no shop and is not shared cannot be seen."""

    cursor: duckdb.DuckDBPyConnection
    build: MartsBuild
    shop_id: str

    @cached_property
    def columns(self) -> dict[str, list[str]]:
        """Columns of each mart in this build, without the shop's."""
        return {
            mart: [name for name in names if name not in _SHOP_COLUMNS]
            for mart, names in self.build.columns.items()
            if mart in SHARED or _shop_column(names)
        }

    @property
    def version(self) -> int:
        """The version of the lake that the marts are built from."""
        return self.build.version

    @property
    def built_at(self) -> datetime:
        """When they were built (UTC)."""
        return self.build.built_at

    @property
    def semantic_manifest(self) -> str | None:
        """The definitions of metrics that were published with them."""
        return self.build.semantic_manifest

    def has(self, mart: str, *columns: str) -> bool:
        """Whether this build has the mart with all these columns."""
        return mart in self.columns and set(columns) <= set(self.columns[mart])

    def select(
        self,
        mart: str,
        columns: Sequence[str],
        where: Sequence[Condition] = (),
        order_by: Sequence[SortKey] = (),
        limit: int | None = None,
        offset: int = 0,
    ) -> list[dict[str, Any]]:
        """Rows of a mart; columns that this build lacks are left out. Raises TableNotPublished for a mart that it lacks."""
        if mart not in self.columns:
            raise TableNotPublished(f"this build of the marts has no {mart}; run: python -m ops.marts build --again")
        there = [column for column in columns if column in self.columns[mart]]
        tests = self._tests(mart, where)
        if not there or tests is None:
            return []
        sql = f"select {', '.join(map(_identifier, there))} from ({self._rows_of(mart)}){tests[0]}"
        sorts = [order for order in order_by if self.has(mart, order.column)]
        if sorts:
            sql += " order by " + ", ".join(
                f"{_identifier(order.column)} {'desc' if order.is_descending else 'asc'} nulls last" for order in sorts
            )
        if limit is not None:
            sql += f" limit {int(limit)} offset {int(offset)}"
        return self._answer(sql, tests[1]).as_dicts()

    def distinct(self, mart: str, column: str, limit: int) -> list[Any]:
        """The known values of a column, in order; none where this build lacks it."""
        if not self.has(mart, column):
            return []
        name = _identifier(column)
        sql = f"select distinct {name} from ({self._rows_of(mart)}) where {name} is not null order by 1 limit {int(limit)}"
        return [value for (value,) in self._answer(sql, []).rows]

    def metric_rows(self, question: MetricQuestion, persons: Sequence[Condition] | None = None) -> list[dict[str, Any]]:
        """Rows of the metric layer's answer on this shop's rows, without the shop.

        ``persons`` are conditions on ``dim_customers``: metrics of customers are then those of these alone. A condition that
        this build cannot test holds for nobody. Raises MetricQueryRefused and TableNotPublished.
        """
        sql = self.build.metric_sql(question)
        tests = None if persons is None else self._tests(PERSONS, persons) or (" where false", [])
        answer = self.build.answers.get((self.shop_id, sql, repr(tests)), lambda: self._asked(sql, tests))
        return [{name: value for name, value in row.items() if name not in _SHOP_COLUMNS} for row in answer.as_dicts()]

    def _asked(self, sql: str, of_persons: tuple[str, list[Any]] | None) -> KeptAnswer:
        """What generated SQL gives on views of this shop's rows; ``of_persons`` are conditions on customers."""
        if of_persons is not None:
            chosen = f"select person_id from ({self._rows_of(PERSONS)}){of_persons[0]}"
            answer_within_time(self.cursor, f"create or replace temp table chosen_persons as {chosen}", of_persons[1])
        read = set(_READ.findall(sql))
        for mart in (mart for mart in self.build.metric_marts if mart in read):
            of_mart = self._rows_of(mart)
            if of_persons is not None and mart in OF_PERSONS:
                of_mart = f"from ({of_mart}) where person_id in (from temp.main.chosen_persons)"
            self.cursor.execute(f"create or replace temp view {_identifier(mart)} as {of_mart}")
        return answer_within_time(self.cursor, sql, [])

    def _answer(self, sql: str, values: list[Any]) -> KeptAnswer:
        """What a statement on the shop's rows gives; its text holds the shop."""
        return self.build.answers.get((self.shop_id, sql, repr(values)), lambda: answer_within_time(self.cursor, sql, values))

    def _tests(self, mart: str, where: Sequence[Condition]) -> tuple[str, list[Any]] | None:
        """Conditions as SQL with its parameters; None when this build lacks a column of them."""
        texts, values = [], []
        for condition in where:
            if not self.has(mart, condition.column):
                return None
            if isinstance(condition.value, Among):
                among = condition.value
                tests = self._tests(among.mart, among.where) if self.has(among.mart, among.column) else None
                if tests is None:
                    return None
                rows = f"select {_identifier(among.column)} from ({self._rows_of(among.mart)}){tests[0]}"
                is_in = "not in" if condition.operator == "not in" else "in"
                texts.append(f"{_identifier(condition.column)} {is_in} ({rows})")
                values += tests[1]
            else:
                texts.append(_test(condition))
                values += [] if condition.operator in ("is null", "is not null") else [condition.value]
        return (" where " + " and ".join(texts) if texts else "", values)

    def _rows_of(self, mart: str) -> str:
        """The query of the shop's rows: the one place in which the shop's condition is put in."""
        column = _shop_column(self.build.columns[mart])
        if column is None and mart not in SHARED:
            raise ValueError(f"{mart} has no shop")
        return f"select * from published.{_identifier(mart)}" + (_of_shop(column, self.shop_id) if column else "")


@contextmanager
def marts_of_shop(published: PublishedMarts, shop_id: str) -> Iterator[ShopMarts]:
    """The newest recorded marts, with the rows of one shop. Raises TableNotPublished before the first build."""
    build = published.newest()
    with cursor_of(build) as cursor:
        yield ShopMarts(cursor, build, shop_id)


@contextmanager
def open_shop_marts(settings: Settings, shop_id: str) -> Iterator[ShopMarts]:
    """As ``marts_of_shop``, for a command that reads once. Raises TableNotPublished."""
    with marts_of_shop(PublishedMarts(settings), shop_id) as marts:
        yield marts


def _shop_column(columns: Sequence[str]) -> str | None:
    return next((name for name in _SHOP_COLUMNS if name in columns), None)


def _of_shop(column: str, shop_id: str) -> str:
    return f" where {_identifier(column)} = {quoted(shop_id)}"


def _test(condition: Condition) -> str:
    column = _identifier(condition.column)
    match condition.operator:
        case "contains":
            return f"contains(lower({column}), lower(?))"
        case "in":
            return f"list_contains(?, {column})"
        case "is null" | "is not null":
            return f"{column} {condition.operator}"
        case operator:
            return f"{column} {operator} ?"


def _identifier(name: str) -> str:
    """A name of the marts' own making in quotes. Raises ValueError for anything else."""
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} is no name of a mart or a column")
    return f'"{name}"'
