"""Golden cases of silver: lines in, rows of every table out. The README of a case says what it is about."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from jishi.tables import SILVER, SILVER_EVENTS, TableSchema

pytestmark = pytest.mark.integration
ROOT = Path(__file__).parents[2] / "golden" / "silver"
CASES = sorted(folder.name for folder in ROOT.iterdir() if folder.is_dir())


def plain_row(row: dict[str, Any]) -> dict[str, Any]:
    """A row as JSON has it; the shop's id goes without saying, the raw line is the input's."""
    kept = {name: value for name, value in row.items() if name not in ("shop_id", "line")}
    return json.loads(json.dumps(kept, default=lambda value: value.isoformat(), ensure_ascii=False))


@pytest.mark.parametrize("schema", SILVER, ids=lambda schema: schema.name.removeprefix("silver/"))
@pytest.mark.parametrize("case", CASES)
def test_lines_become_the_expected_rows(golden: Any, case: str, schema: TableSchema) -> None:
    rows = [plain_row(row) for row in golden.rows(schema, case.replace("_", "-"))]
    file = ROOT / case / "expect" / f"{schema.name.removeprefix('silver/')}.jsonl"
    if os.environ.get("JISHI_UPDATE_GOLDEN"):
        file.parent.mkdir(exist_ok=True)
        file.unlink(missing_ok=True)
        if rows:
            file.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    expected = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
    assert rows == expected


@pytest.mark.parametrize("case", CASES)
def test_the_line_stays_as_it_came(golden: Any, case: str) -> None:
    shop_id = case.replace("_", "-")
    came = [
        line.replace("$SHOP", shop_id)
        for file in sorted((ROOT / case / "input").glob("*.jsonl"))
        for line in file.read_text().splitlines()
    ]
    kept = [row["line"] for schema in SILVER[:3] for row in golden.rows(schema, shop_id)]
    assert sorted(kept) == sorted(came)


def test_history_built_again_gives_the_same_rows_also_of_the_days_after_it(golden: Any) -> None:
    before = {schema.name: golden.rows(schema) for schema in SILVER}
    rows = golden.build("history", ["outcomes", "money"])
    assert {schema.name: golden.rows(schema) for schema in SILVER} == before
    assert rows[SILVER_EVENTS.name] == sum(row["shop_id"] in ("outcomes", "money") for row in before[SILVER_EVENTS.name])
