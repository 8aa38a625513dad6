"""Whatever stands in the cells of an export: events that the contract judges, or one sentence, and no traceback."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from imports.order_mapping import load_export_mapping, preset_names
from imports.orders import order_lines
from imports.preview import totals_of
from jishi.landing import LandingError
from tests.unit.imports.test_presets import CASES

ODD = (
    *(
        "",
        "-",
        "NULL",
        "\\N",
        "None",
        "0",
        "-1",
        "-0",
        "+",
        "()",
        "(1)",
        "1-",
        ".",
        "5.",
        "-.5",
        "1_000",
        "0x10",
        "1e5",
        "1e999999",
    ),
    *(
        "NaN",
        "Infinity",
        "1.012",
        "1,012",
        "12,50",
        "99999999999999999999",
        "9" * 45,
        "100%",
        "€",
        "$",
        "RMB",
        "12.50 USD",
        "JPY",
    ),
    *("2026/3/1", "2026年3月1日 下午9:05", "9999-12-31", "0001-01-01", "24:00", "2026/3/1 9:05 +25:00", "2026/3/1 99:99"),
    *("'", "'=1", "'-", '=""', '="1"', "\u202e", "\0", "💥", "½", "١٢", "Ⅻ", "合计", "total", "\ufeff", "a" * 500, 'a"b'),
)
CELL = st.one_of(st.sampled_from(ODD), st.text(st.characters(exclude_categories=["Cs"]), max_size=12))


@given(st.sampled_from(preset_names()), st.lists(st.tuples(st.integers(1, 9), st.integers(0, 30), CELL), max_size=8), st.data())
@settings(max_examples=300, deadline=None)
def test_any_cell_gives_events_or_a_sentence(preset: str, changes: list[tuple[int, int, str]], data: st.DataObject) -> None:
    content, _, _, _ = CASES[preset]
    delimiter = "\t" if preset == "amazon" else ","
    rows = [line.split(delimiter) for line in content.splitlines()]
    for number, place, cell in changes:
        row = rows[1 + number % (len(rows) - 1)]
        row[place % len(row)] = cell
    encoding = data.draw(st.sampled_from(["utf-8", "utf-16", "gb18030"]))
    with TemporaryDirectory() as folder:
        file = Path(folder) / "orders.csv"
        file.write_bytes("\n".join(map(delimiter.join, rows)).encode(encoding))
        files = [file] * data.draw(st.sampled_from([1, 2]))
        notes: list[str] = []
        try:
            lines = list(order_lines(files, load_export_mapping(preset), "s", lambda done, total: None, notes=notes.append))
        except LandingError:
            return
        totals = totals_of(iter(lines), "s")
    assert totals.events.total() + totals.refused.total() == len(lines)
    assert lines or any("left out" in note for note in notes)
