"""Each decision in docs/adr has a number of its own."""

from __future__ import annotations

from jishi.settings import PROJECT_ROOT


def test_a_number_is_one_decision() -> None:
    files = sorted((PROJECT_ROOT / "docs" / "adr").glob("*.md"))
    numbers = [file.name[:4] for file in files]
    assert len(numbers) == len(set(numbers)) > 20
    for file in files:
        assert file.read_text(encoding="utf-8").startswith(f"# {file.name[:4]} ")
