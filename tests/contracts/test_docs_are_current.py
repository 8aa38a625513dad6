"""Pages that are made from code are made again when the code changes."""

from __future__ import annotations

from jishi.contract import schemas
from jishi.contract.page import PAGE, read_examples, render
from jishi.features import page as catalogue


def test_events_page_is_current() -> None:
    assert PAGE.read_text() == render(read_examples()), "docs/events.md is out of date; run make docs"


def test_feature_catalogue_is_current() -> None:
    assert catalogue.PAGE.read_text() == catalogue.render(), "docs/feature-catalogue.md is out of date; run make docs"


def test_exported_schemas_are_current() -> None:
    written = {file.name: file.read_text() for file in schemas.FOLDER.iterdir()}
    assert written == schemas.render(), "docs/schemas is out of date; run make docs"
