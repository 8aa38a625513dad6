"""Rules over one SQL text: nothing outside the metric layer adds up, divides or subtracts what metrics are made of."""

from __future__ import annotations

from collections.abc import Iterator

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from quality.second_definitions.vocabulary import Vocabulary

_AGGREGATES = (exp.Sum, exp.Count, exp.Avg, exp.ApproxDistinct, exp.CountIf, exp.Median, exp.Quantile)


def parsed(text: str) -> list[exp.Expression]:
    """Statements or one expression of DuckDB's dialect; nothing where the text is no SQL."""
    try:
        return [tree for tree in sqlglot.parse(text, dialect="duckdb") if tree is not None]
    except SqlglotError:
        return []


def computes(tree: exp.Expression, words: Vocabulary) -> Iterator[str]:
    """What a tree computes that only the metric layer may, one sentence each."""
    reads = {table.name for table in tree.find_all(exp.Table)} & words.marts
    for aggregate in (each for each in tree.find_all(*_AGGREGATES) if each.find_ancestor(exp.Ordered) is None):
        columns = _measures(aggregate, words)
        if reads or columns:
            over = f" over {', '.join(sorted(reads))}" if reads else ""
            yield f"computes {aggregate.sql('duckdb')}{over}{words.named(aggregate)}"
    for division in tree.find_all(exp.Div):
        if _is_number(division.this, words, reads) and _is_number(division.expression, words, reads):
            yield f"divides {division.sql('duckdb')}"
    for difference in tree.find_all(exp.Sub, exp.Add):
        if _measures(difference.this, words) and _measures(difference.expression, words):
            yield f"computes {difference.sql('duckdb')}"


def _measures(tree: exp.Expression, words: Vocabulary) -> set[str]:
    return {column.name.lower() for column in tree.find_all(exp.Column)} & words.measures


def _is_number(tree: exp.Expression, words: Vocabulary, reads: set[str]) -> bool:
    """Whether a side of a division is a measure or an aggregate; 10 to the digits of a currency is neither."""
    if isinstance(tree, exp.Pow):
        return False
    return bool(_measures(tree, words)) or (bool(reads) and tree.find(*_AGGREGATES) is not None)
