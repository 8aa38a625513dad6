"""Export files of orders: every row is an order line, left out by a rule, or refused by name; sound rows come to the cent."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import strategies as st

from imports.orders import order_lines
from imports.preview import paid_minor, totals_of
from jishi.contract import Event, check_event
from jishi.landing import LandingError
from tests.fuzz.inputs import check_refusal, fuzzed
from tests.fuzz.order_files import OrderFile, order_files


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(tmp_path_factory.mktemp("order-files"))


@fuzzed("imports", file=order_files(), is_twice=st.booleans())
def test_every_row_is_a_line_left_out_or_refused(folder: Path, file: OrderFile, is_twice: bool) -> None:
    paths = [folder / "orders.csv", folder / "again.csv"][: 1 + is_twice]
    for path in paths:
        path.write_bytes(file.content)
    notes: list[str] = []
    try:
        rows = list(order_lines(paths, file.mapping, "s", lambda done, total: None, notes=notes.append))
    except LandingError as error:
        check_refusal(error, "orders.csv")
        if file.rows and file.has_sure_encoding:
            raise
        return
    events: list[dict[str, Any]] = [json.loads(row) for row in rows]
    left_out = {m[2]: int(m[1].replace(",", "")) for m in map(re.compile(r"left out ([\d,]+) rows: (.*)").match, notes) if m}
    in_events = sum(len(event["properties"]["lines"]) for event in events)
    assert in_events + sum(left_out.values()) == file.rows * len(paths), (left_out, notes)
    lines, paid, refunded = {}, {}, defaultdict(int)
    for event in events:
        checked = check_event(event, "s")
        properties = event["properties"]
        if not isinstance(checked, Event):
            assert len(checked.detail) > 5
            assert event["source"]["row"] >= 1
            continue
        order = properties["order_id"]
        if event["type"] == "order_paid":
            paid[order] = paid_minor(properties)
            lines[order] = [line["item_id"] for line in properties["lines"]]
            if order in file.paid:
                assert datetime.fromisoformat(event["occurred_at"]) == file.at[order]
        else:
            refunded[order] += properties["amount_minor"]
    assert {order: paid.get(order) for order in file.paid} == file.paid
    assert {order: lines[order] for order in file.lines} == {
        order: [sku for sku, _, _ in lines_of] for order, lines_of in file.lines.items()
    }
    assert not file.unreadable & paid.keys()
    assert {order: refunded.get(order) for order in file.refunded} == file.refunded
    totals_of(iter(rows), "s")
