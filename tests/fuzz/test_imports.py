"""Whatever a file holds, an import reads it or says what is wrong with it; a broken line concerns no other line."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import strategies as st

from imports.bronze import LineCounts, bronze_rows
from imports.items import item_lines
from imports.order_mapping import ExportMapping, load_export_mapping, preset_names
from imports.order_rows import read_export
from imports.orders import OPTIONAL, order_lines
from imports.preview import totals_of
from imports.rates import read_rates
from imports.refunds import UnreturnedPurchases
from imports.table_file import read_table
from imports.user_events import lines_of_files
from jishi.arrow_tables import to_arrow
from jishi.fx_rates import plain_text
from jishi.landing import LandingError
from jishi.tables import BRONZE_EVENTS
from tests.fuzz.inputs import ANY_JSON, EXAMPLES, FIELD_VALUES, NO_JSON, TEXTS, as_json, broken_events, check_refusal, fuzzed
from tests.fuzz.order_files import COLUMNS, order_files

NOW_MS = 1_795_000_000_000


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(tmp_path_factory.mktemp("imports"))


def quiet(done: int, total: int) -> None:
    """Progress that nobody sees."""


ENCODINGS = [
    "utf-8",
    "utf-7",
    "utf-16",
    "idna",
    "punycode",
    "undefined",
    "raw_unicode_escape",
    "rot13",
    "hex",
    "zip",
    "",
    "a\0b",
]
MAPPINGS = st.fixed_dictionaries(
    {"currency": st.sampled_from(["EUR", "JPY", "KWD"])},
    optional={
        "money": st.sampled_from(["major", "minor"]),
        "digits": st.integers(0, 4),
        "decimal": st.sampled_from([".", ","]),
        "time_format": st.sampled_from(["excel_serial", "%d.%m.%Y", "%Q", "%", "%Y %Y", "%y-%j-%U", "%z", "\0", "%s", ""])
        | TEXTS,
        "time_zone": st.sampled_from(["UTC", "Asia/Shanghai", "America/New_York", "America", "Africa/Monrovia"]) | TEXTS,
        "encoding": st.sampled_from(ENCODINGS) | TEXTS,
        "delimiter": st.sampled_from([",", ";", "\n", '"', "\0", " ", "é", "\r"]),
        "skip_rows": st.integers(0, 3),
        "sheet": TEXTS,
        "defaults": st.dictionaries(st.sampled_from(["user_id", "quantity", "occurred_at"]), ANY_JSON, max_size=2),
        "keep": st.just([{"column": "status", "below": 3}]),
        "may_lack": st.just(["discount", "user_id"]),
    },
)


# Columns of further fields, which hold what their names do not say.
MORE_COLUMNS = st.dictionaries(
    st.sampled_from([*OPTIONAL, "line_price", "unit_price", "order_id", "occurred_at"]), st.sampled_from(COLUMNS), max_size=3
)


@st.composite
def workbooks(draw: st.DrawFn) -> bytes:
    """A Parquet file of odd columns, perhaps of the right names."""
    names = draw(st.lists(st.sampled_from(["order", "sku", "qty", "price", "at", "user", "status", "discount"]), max_size=8))
    kinds = [st.integers(-(2**63), 2**63 - 1), st.floats(), st.text(max_size=5), st.binary(max_size=3), st.booleans()]
    kinds += [st.decimals(allow_nan=False, allow_infinity=False, places=4, min_value=-(10**9), max_value=10**9)]
    kinds += [st.datetimes(), st.dates(), st.times(), st.timedeltas(), st.lists(st.integers(0, 3), max_size=2)]
    rows = draw(st.integers(0, 3))
    columns = []
    for _ in names:
        values = draw(st.lists(st.none() | draw(st.sampled_from(kinds)), min_size=rows, max_size=rows))
        try:
            columns.append(pa.array(values))
        except (pa.ArrowException, OverflowError):
            columns.append(pa.nulls(rows))
    out = io.BytesIO()
    pq.write_table(pa.Table.from_arrays(columns, names=names), out)
    return out.getvalue()


@fuzzed("imports", data=st.data())
def test_any_file_is_read_or_refused_by_name(folder: Path, data: st.DataObject) -> None:
    file = data.draw(order_files())
    suffix = data.draw(st.sampled_from([".csv"] * 4 + [".xlsx", ".xls", ".ods", ".parquet", ".parquet"]))
    content = bytearray(data.draw(workbooks() if suffix == ".parquet" else st.just(file.content) | st.binary(max_size=60)))
    for _ in range(data.draw(st.integers(0, 4))):
        at = data.draw(st.integers(0, len(content)))
        content[at : at + data.draw(st.integers(0, 4))] = data.draw(
            st.binary(max_size=4) | st.sampled_from([b'"', b"\0", b"\r"])
        )
    path = folder / f"some{suffix}"
    path.write_bytes(content)
    rules = file.mapping.model_dump(exclude_none=True) | data.draw(MAPPINGS)
    rules["columns"] |= data.draw(MORE_COLUMNS)
    how = data.draw(st.sampled_from(["orders", "orders", "orders", "preset", "items", "rates"]))
    try:
        mapping = ExportMapping.model_validate(rules)
        if how == "preset":
            mapping = load_export_mapping(data.draw(st.sampled_from(preset_names())))
    except ValueError as error:
        check_refusal(error)
        return
    try:
        if how == "rates":
            read_rates(path, "EUR")
        elif how == "items":
            columns = {"item_id": "sku", "title": "user", "category": "order", "unit_price": "price", "stock": "qty"}
            items = mapping.model_copy(update={"columns": columns})
            rows = list(item_lines([path], items, "s", "2026-01-01T00:00:00Z", quiet))
            totals_of(iter(rows), "s")
        else:
            rows = list(order_lines([path], mapping, "s", quiet))
            totals = totals_of(iter(rows), "s")
            shown = sum(len(event["properties"]["lines"]) for event in map(json.loads, rows) if "lines" in event["properties"])
            assert shown + sum(read_export([path], mapping).left_out.values()) == len(
                read_table(path, mapping.wanted, mapping.reading).rows
            )
            assert sum(totals.events.values()) + sum(totals.refused.values()) == len(rows)
    except LandingError as error:
        check_refusal(error)


@fuzzed(
    "imports",
    content=st.binary(max_size=40)
    | st.text(max_size=40).map(str.encode)
    | st.dictionaries(
        st.sampled_from(["currency", "columns", "time_format", "keep", "cancellation", "digits", "assumed", "defaults", "x"]),
        FIELD_VALUES,
        max_size=4,
    ).map(lambda value: json.dumps(value).encode())
    | st.sampled_from(
        [b"currency: 2026-13-45", b"a: 2026-02-30T25:00:00", b"a: !!int x", b"? [a]\n: b", b"[" * 3000, b"a: &a [*a]"]
    )
    | st.sampled_from(
        [b"a: 0x", b"a: 1:99", b"<<: 1", b"{a: b}: c", b"a: !!python/name:os.system", b"currency: EUR\ncolumns: {1: 2}"]
    ),
)
def test_any_mapping_is_read_or_refused_by_name(folder: Path, content: bytes) -> None:
    path = folder / "mapping.yaml"
    path.write_bytes(content)
    try:
        load_export_mapping(path, {"currency": "EUR"})
    except LandingError as error:
        check_refusal(error, "mapping.yaml")


@fuzzed(
    "imports",
    rows=st.lists(
        st.tuples(
            TEXTS | st.sampled_from(["2026-03-01", "2026-03-02", "2026-03-01T00:00:00"]),
            TEXTS | st.sampled_from(["USD", "JPY", "KWD", "EUR"]),
            TEXTS | st.decimals(allow_nan=False, allow_infinity=False).map(str) | st.integers(1, 10**20).map(str),
        ),
        max_size=4,
    ),
)
def test_a_rate_is_exact_or_refused(folder: Path, rows: list[tuple[str, str, str]]) -> None:
    path = folder / "rates.tsv"
    path.write_text("\n".join(["date\tcurrency\trate", *("\t".join(" ".join(c.split()) for c in row) for row in rows)]))
    try:
        read = read_rates(path, "EUR")
    except LandingError as error:
        check_refusal(error, "rates.tsv")
        return
    sent = {Fraction(Decimal(rate.strip())) for _, _, rate in rows if rate.strip()}
    for rate in read:
        assert Fraction(rate.rate) in sent
        assert Fraction(Decimal(plain_text(rate.rate))) == Fraction(rate.rate)


LINES = st.one_of(
    NO_JSON,
    ANY_JSON.map(as_json),
    broken_events("s").map(as_json),
    st.sampled_from(EXAMPLES).map(lambda event: as_json(event | {"shop_id": "s"})),
    st.binary(max_size=20),
)


@fuzzed("imports", lines=st.lists(LINES, max_size=8), place=st.integers(0, 8))
def test_a_broken_line_concerns_no_other(folder: Path, lines: list[bytes], place: int) -> None:
    good = as_json(EXAMPLES[0] | {"shop_id": "s", "event_id": "good"})
    path = folder / "events.jsonl"
    # A file that begins as another form (an array, gzip) is refused as a whole.
    path.write_bytes(b"\n".join([as_json(EXAMPLES[1]), *lines[:place], good, *lines[place:]]))
    sent = [line.rstrip(b"\r") for line in path.read_bytes().split(b"\n") if line.strip()]
    landed = list(lines_of_files([path]))
    assert landed == sent
    counts = LineCounts()
    rows = list(bronze_rows(landed, counts, shop_id="s", first_seq=0, now_ms=NOW_MS))
    assert [row["seq"] for row in rows] == list(range(len(sent)))
    assert counts.lines == len(sent)
    assert sum(row["invalid_reason"] is not None for row in rows) == sum(counts.invalid.values())
    for row, line in zip(rows, sent, strict=True):
        if line == good:
            assert (row["event_id"], row["invalid_reason"]) == ("good", None)
    assert to_arrow(BRONZE_EVENTS, rows).num_rows == len(sent)


def orders_and_refunds() -> Iterator[dict[str, Any]]:
    return (event for event in EXAMPLES if event["type"] in ("order_paid", "order_refunded"))


@fuzzed(
    "imports",
    earlier=st.lists(
        st.one_of(
            broken_events("s"),
            st.tuples(
                st.sampled_from(list(orders_and_refunds())),
                st.dictionaries(st.sampled_from(["lines", "order_id"]), FIELD_VALUES),
            ).map(lambda pair: pair[0] | {"properties": pair[0]["properties"] | pair[1]}),
            st.tuples(st.sampled_from(list(orders_and_refunds())), FIELD_VALUES).map(
                lambda pair: pair[0] | {"user_id": pair[1]}
            ),
        ),
        max_size=5,
    ),
)
def test_what_was_imported_before_stops_no_import(earlier: list[Any]) -> None:
    lines = [as_json(event) for event in earlier]
    lines.append(orjson.dumps(next(orders_and_refunds()) | {"user_id": "u-good"}))
    purchases = UnreturnedPurchases.of_events(lines)
    assert purchases.orders
