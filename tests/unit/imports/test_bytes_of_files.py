"""Bytes of an export: which encoding they are in, and what kind of file they are."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from imports.orders import order_lines
from jishi.landing import LandingError
from tests.unit.imports.test_foreign_files import write_workbook
from tests.unit.imports.test_reported_files import COLUMNS, HEAD, mapping


@pytest.mark.parametrize(
    ("currency", "encoding", "text"),
    [
        ("CNY", "gb18030", "翡翠镯子 阿木"),
        ("EUR", "gb18030", "马面裙 小青"),
        ("TWD", "big5", "珍珠奶茶 陳大文"),
        ("JPY", "shift_jis", "着物 ｶｰﾃﾞｨｶﾞﾝ 花子"),
        ("KRW", "euc_kr", "비누 세트 이영희"),
        ("PLN", "cp1250", "zażółć gęślą jaźń Łukasz"),
        ("RUB", "cp1251", "Мыло ручной работы"),
        ("EUR", "cp1252", "Käse für Jürgen €"),
        ("CNY", "cp1252", "Café crème"),
        ("JPY", "cp1252", "Käse für Jürgen"),
        ("JPY", "utf-16-be", "着物"),
    ],
)
def test_the_currency_tells_encodings_apart_that_the_header_cannot(
    tmp_path: Path, currency: str, encoding: str, text: str
) -> None:
    """A header in English reads the same in all of them; a list from Taiwan was taken for Western letters."""
    file = tmp_path / "f.csv"
    file.write_bytes((HEAD + f"1,{text},1,100,2026-03-01,u\n").encode(encoding))
    [line] = order_lines([file], mapping(currency=currency), "s", lambda done, total: None)
    assert json.loads(line)["properties"]["lines"][0]["item_id"] == text


def test_utf_8_with_a_fault_is_not_taken_for_another_encoding(tmp_path: Path) -> None:
    file = tmp_path / "f.csv"
    file.write_bytes((HEAD + "1,Käse,1,1.00,2026-03-01,u\n").encode() + b"2,K\xe4se,1,1.00,2026-03-01,u\n")
    with pytest.raises(LandingError, match=r"is UTF-8 but for some bytes, the first in line 3; mend them"):
        list(order_lines([file], mapping(), "s", lambda done, total: None))


def test_a_file_is_what_it_holds_and_not_what_it_is_called(tmp_path: Path) -> None:
    """ERPs and shop apps write pages of HTML named xls, and people rename what does not open."""
    contents = {
        "page.xls": b"<html><table><tr><td>order</td></tr></table></html>",
        "packed.csv": gzip.compress(HEAD.encode()),
        "text.xlsx": (HEAD + "1,A,1,1.00,2026-03-01,u\n").encode(),
    }
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    write_workbook(tmp_path / "book.csv", [list(COLUMNS.values()), [1, "A", 3, 0.1 + 0.2, "2026-03-01", "u"]])

    def read(name: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in order_lines([tmp_path / name], mapping(), "s", lambda done, total: None)]

    for name, fix in (("page.xls", "save it as xlsx"), ("packed.csv", "unpack it with gunzip")):
        with pytest.raises(LandingError, match=fix):
            read(name)
    assert read("text.xlsx")[0]["properties"]["order_id"] == "1"
    [line] = read("book.csv")[0]["properties"]["lines"]
    assert line == {"item_id": "A", "quantity": 3, "unit_price_minor": 30}, "0.30000000000000004 is 0.3, as the workbook shows"
