"""``jishi recommend``: what is asked of serving, and why an item is not in the list, in both languages."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from ops.cli import app

PAYLOAD = {
    **{"served_by": "popular", "model": "ladder", "model_version": "v1", "items": []},
    "why_not": {
        "item_id": "i7",
        "code": "sold_out",
        "zh": "它没有库存",
        "en": "It is out of stock",
        "rule": None,
        "rank": None,
    },
}


def test_why_an_item_is_not_there_is_asked_and_told_in_both_languages(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, Any]] = []

    def get(url: str, *, params: dict[str, Any], headers: dict[str, str], timeout: float) -> httpx.Response:
        asked.append(params | headers)
        return httpx.Response(200, json=PAYLOAD, headers={"X-Request-ID": "r"})

    monkeypatch.setattr(httpx, "get", get)
    options = ["--shop", "a", "--key", "k", "--why-not", "i7", "--category", "tea", "--placement", "search_empty"]
    result = CliRunner().invoke(app, ["recommend", *options], env={"COLUMNS": "150"})
    assert result.exit_code == 0, result.output
    assert "i7: 它没有库存 · It is out of stock" in result.output
    [request] = asked
    assert (request["why_not"], request["category"], request["placement"]) == ("i7", ["tea"], "search_empty")
    assert request["Authorization"] == "Bearer k"
