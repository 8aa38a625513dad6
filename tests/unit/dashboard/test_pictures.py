"""The pictures of the docs show every page and board, both languages at both widths; taking them leaves no member behind."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from itertools import product
from pathlib import Path

import pytest

from dashboard.pictures import Picture, member, shown_set, whole_set
from dashboard.portal.app import people_of
from dashboard.portal.sections import SECTIONS, SETUP_SECTIONS
from dashboard.superset_boards import boards
from jishi.paths import Paths
from jishi.settings import PROJECT_ROOT
from tests.lake import settings_in

PAGES = {each.name for each in (*SECTIONS, *SETUP_SECTIONS)} - {"workbench"} | {f"workbench/{name}" for name in boards()}
NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)


def test_the_shown_set_has_every_page_and_each_language_at_each_width() -> None:
    shown = shown_set()
    assert {each.page for each in shown} >= PAGES
    assert {(each.language, each.width) for each in shown} == set(product(("zh", "en"), (1440, 375)))
    assert any(each.is_dark for each in shown)
    assert any(each.is_printed for each in shown)
    assert len({each.file_name for each in shown}) == len(shown)


def test_the_whole_set_has_every_page_in_each_language_at_each_width() -> None:
    whole = {(each.page, each.language, each.width) for each in whole_set()}
    assert whole >= set(product(PAGES, ("zh", "en"), (1440, 375)))


def test_the_docs_show_the_set_that_the_command_takes() -> None:
    text = (PROJECT_ROOT / "docs" / "screenshots.md").read_text()
    assert sorted(re.findall(r"images/portal/(\S+?\.jpg)", text)) == sorted(each.file_name for each in shown_set())
    kept = [*(PROJECT_ROOT / "docs" / "images" / "portal").iterdir()]
    assert {file.name for file in kept} == {each.file_name for each in shown_set()}
    assert sum(file.stat().st_size for file in kept) < 2_500_000


def test_names_of_files_say_what_they_show() -> None:
    assert Picture("rows/orders", "zh", 375, is_dark=True).file_name == "rows-orders-zh-375-dark.jpg"


def test_the_photographer_is_a_member_no_longer_than_needed(tmp_path: Path) -> None:
    people = people_of(Paths.of(settings_in(tmp_path)))
    people.accept(people.invite("mei@example.org", "a", "owner", NOW), "Mei", "correct horse battery", NOW)
    seen: list[set[str]] = []

    def photographer() -> None:
        with member(people, ["a"], NOW) as (login, password):
            assert len(password) > 12
            seen.append({each.login for each in people.members("a")} & {login})
            raise OSError("the browser is gone")

    with pytest.raises(OSError, match="the browser is gone"):
        photographer()
    assert [len(logins) for logins in seen] == [1]
    assert [each.login for each in people.members("a")] == ["mei@example.org"]
