"""``jishi rules``: what is wrong is told by name, versions follow each other, and a preview asks serving with a pass."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner, Result

from jishi.paths import Paths
from jishi.rules.preview_client import NoPreview, PreviewClient
from jishi.rules.preview_passes import PreviewPasses
from jishi.settings import get_settings
from jishi.shops import Shop, Shops
from ops.cli import app

HIDE = {"kind": "hide", "name": "h", "items": {"brands": ["b"]}}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("JISHI_VAR", str(tmp_path / "var"))
    monkeypatch.setenv("JISHI_SERVING_PORT", "1")  # nobody answers there
    get_settings.cache_clear()
    with Shops.edit(Paths.of(get_settings()).shops_file) as registry:
        registry.add(Shop(shop_id="a", name="a"))
    yield tmp_path
    get_settings.cache_clear()


def rules(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["rules", *arguments], env={"COLUMNS": "150"})


def written(folder: Path, *each: dict[str, Any]) -> str:
    file = folder / "rules.json"
    file.write_text(json.dumps({"rules": list(each)}))
    return str(file)


def test_rules_are_published_shown_and_rolled_back(folder: Path) -> None:
    assert json.loads(rules("show", "a").output) == {"rules": []}
    assert (
        "version 1, 1 rules"
        in rules("publish", "a", written(folder, HIDE), "--after", "0", "--note", "双十二 [new] [/sale]").output
    )
    assert "version 2, 0 rules" in rules("publish", "a", written(folder)).output
    assert "published after version 1" in rules("publish", "a", written(folder), "--after", "1").output
    assert "version 3, the rules of version 1" in rules("rollback", "a", "1").output
    shown = rules("show", "a").output
    assert json.loads(shown) == {"rules": [HIDE]}
    (folder / "again.json").write_text(shown)
    assert rules("check", "a", str(folder / "again.json")).exit_code == 0
    history = rules("show", "a", "--history").output
    assert "双十二 [new] [/sale]" in history, "brackets are words, and not marks of a terminal's colours"
    assert "rules of version 1" in history


def test_what_is_wrong_is_told_with_its_field(folder: Path) -> None:
    result = rules("check", "a", written(folder, HIDE | {"items": {}}, HIDE | {"placements": ["sofa"]}))
    assert result.exit_code == 1
    assert 'rules.0.items of "h": names no item' in result.output
    assert "rules.1.placements.0" in result.output
    assert rules("publish", "a", written(folder, HIDE | {"items": {}})).exit_code == 1
    assert rules("show", "a", "--history").output.count("│") == 0, "nothing was published"
    assert "unknown shop 'typo'" in rules("show", "typo").output
    assert "there is no version 7" in rules("rollback", "a", "7").output
    assert "No such file" in rules("check", "a", "none.json").output


def test_a_preview_without_serving_says_what_to_start(folder: Path) -> None:
    result = rules("preview", "a", written(folder, HIDE))
    assert result.exit_code == 1
    assert "serving does not answer" in result.output
    assert "jishi up" in result.output


def test_a_preview_shows_a_pass_of_the_shop(folder: Path) -> None:
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(503, json={"error": {"code": "catching_up", "message": "later"}})

    client = PreviewClient(get_settings(), httpx.MockTransport(answer))
    with pytest.raises(NoPreview, match="later") as error:
        client.preview("a", {"rules": []})
    assert error.value.code == "catching_up"
    [request] = asked
    assert request.url.path == "/v1/shops/a/rules/preview"
    text = request.headers["authorization"].removeprefix("Bearer ")
    assert PreviewPasses.of(Paths.of(get_settings())).opens(text, "a", time.time())


def test_a_preview_asks_for_a_category_page_and_what_was_paid(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, Any]] = []

    def preview(_: PreviewClient, shop_id: str, draft: dict[str, Any]) -> dict[str, Any]:
        asked.append(draft)
        return {"before": {"items": []}, "after": {"items": []}, "notes": []}

    monkeypatch.setattr(PreviewClient, "preview", preview)
    file = written(folder, HIDE)
    assert rules("preview", "a", file, "--placement", "category", "--category", "tea").exit_code == 0
    assert rules("preview", "a", file, "--placement", "after_payment", "--paid", "i1", "--paid", "i2").exit_code == 0
    assert [(each["category"], each["order_item_ids"]) for each in asked] == [("tea", []), (None, ["i1", "i2"])]
