"""``jishi sql`` and ``jishi lake``: a version by number or instant, three formats, and nothing but reading."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from jishi.settings import get_settings
from jishi.tables import SILVER_ITEMS, SILVER_ORDERS
from ops.cli import app
from tests.lake import record

Command = Callable[..., Result]


@pytest.fixture
def jishi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Command]:
    """Runs the command on a lake of two versions: one order and two items, then two orders."""
    monkeypatch.setenv("JISHI_VAR", str(tmp_path))
    get_settings.cache_clear()
    items = [{"shop_id": "a", "item_id": item} for item in ("i1", "i2")]
    record(tmp_path, {SILVER_ORDERS: [{"shop_id": "a", "order_id": "o1", "paid_minor": 5}], SILVER_ITEMS: items})
    paid = datetime(2026, 9, 1, 10)  # noqa: DTZ001 (the lake keeps UTC instants without a zone)
    orders = [{"shop_id": "a", "order_id": "o1", "paid_minor": 5}, {"shop_id": "b", "order_id": "二", "paid_at": paid}]
    record(tmp_path, {SILVER_ORDERS: orders})
    yield lambda *arguments: CliRunner().invoke(app, list(arguments), env={"COLUMNS": "200"})
    get_settings.cache_clear()


def versions(jishi: Command) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = json.loads(jishi("lake", "versions", "--json").stdout)
    return rows


def test_a_query_reads_the_version_that_is_asked_for(jishi: Command) -> None:
    count = "select count(*) as n from silver.orders"
    since = {row["number"]: str(row["created_at"]) for row in versions(jishi)}
    assert list(since) == [2, 1]
    assert f"{since[2][:10]}T{since[2][11:26]}Z" in jishi("lake", "versions").stdout, "as it can be pasted"
    for as_of, n in ((None, 2), ("2", 2), ("1", 1), (since[1], 1), (since[2], 2), (datetime.now(UTC).isoformat(), 2)):
        result = jishi("sql", count, "--format", "json", *(["--as-of", as_of] if as_of else []))
        assert json.loads(result.stdout) == {"n": n}, as_of


def test_the_formats_tell_the_same_rows(jishi: Command) -> None:
    query = "select order_id, paid_minor, paid_at from silver.orders order by 1"
    lines = jishi("sql", query, "--format", "json").stdout.splitlines()
    assert [json.loads(line) for line in lines] == [
        {"order_id": "o1", "paid_minor": 5, "paid_at": None},
        {"order_id": "二", "paid_minor": None, "paid_at": "2026-09-01 10:00:00"},
    ]
    rows = list(csv.reader(jishi("sql", query, "--format", "csv").stdout.splitlines()))
    assert rows == [["order_id", "paid_minor", "paid_at"], ["o1", "5", ""], ["二", "", "2026-09-01 10:00:00"]]
    shown = jishi("sql", query).stdout
    assert all(word in shown for word in ("order_id", "o1", "二", "2026-09-01 10:00:00"))


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["create table x as select 1"], "write one SELECT"),
        (["select 1; drop view silver_orders"], "write one SELECT"),
        (["copy silver.orders to '/tmp/orders.csv'"], "write one SELECT"),
        (["attach '/tmp/other.duckdb'"], "write one SELECT"),
        (["select nothing from silver.orders"], '"nothing" not found'),
        (["select 1", "--as-of", "3"], "no version 3"),
        (["select 1", "--as-of", "2020-01-01T00:00:00Z"], "no version as old"),
        (["select 1", "--as-of", "2026-01-01"], "neither a version's number nor an instant"),
    ],
)
def test_what_is_not_a_read_of_a_kept_version_is_refused(jishi: Command, arguments: list[str], problem: str) -> None:
    result = jishi("sql", *arguments)
    assert result.exit_code == 2
    assert problem in " ".join(result.output.replace("│", " ").split())


def test_a_table_is_shown_with_its_history(jishi: Command) -> None:
    shown = jishi("lake", "show", "silver.orders").stdout
    assert "silver.orders in version 2" in shown
    assert "2 rows in 1 files" in shown
    assert "paid_minor long" in " ".join(shown.split())
    assert jishi("lake", "show", "silver.orders", "--as-of", "1").stdout.startswith("silver.orders in version 1")
    first = next(row for row in versions(jishi) if row["number"] == 1)
    assert str(first["snapshots"]["silver/items"]) in jishi("lake", "show", "silver.items").stdout  # type: ignore[index]
    missing = jishi("lake", "show", "silver.visits")
    assert missing.exit_code == 2
    assert "silver.items, silver.orders" in " ".join(missing.output.replace("│", " ").split())
