"""``/docs`` says all of the OpenAPI document and works without internet."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

from fastapi import FastAPI
from fastapi.testclient import TestClient

from serving.api import make_app
from serving.docs import docs_page


class NoEngine:
    """Starts and stops; no page of the documentation asks for more."""

    def start(self) -> None:
        """Nothing to start."""

    def stop(self) -> None:
        """Nothing to stop."""


def app() -> FastAPI:
    engine: Any = NoEngine()
    return make_app(engine)


def test_every_operation_parameter_and_answer_is_on_the_page() -> None:
    openapi = app().openapi()
    page = docs_page(openapi)
    for path, methods in openapi["paths"].items():
        assert path in page
        for operation in methods.values():
            for parameter in operation.get("parameters", []):
                assert f"<td>{parameter['name']}" in page
                assert f'name="{parameter["name"]}"' in page
            assert all(f"<b>{code}</b>" in page for code in operation["responses"])
    assert page.count("<textarea") == sum(
        "requestBody" in each for methods in openapi["paths"].values() for each in methods.values()
    )
    assert 'integer 1–100; <span lang="zh">默认</span><span lang="en">default</span> 20' in page
    assert "home | item | cart | after_payment | search_empty" in page
    assert "unit_price_minor: integer" in page


class Texts(HTMLParser):
    """Texts of a page outside code, by language; ``""`` for what stands in both."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.by_language: dict[str, list[str]] = {"": [], "zh": [], "en": []}
        self._language = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._language = (dict(attrs).get("lang") or "") if tag == "span" else ""

    def handle_endtag(self, tag: str) -> None:
        self._language = ""

    def handle_data(self, data: str) -> None:
        self.by_language[self._language].append(data)


def test_every_text_of_the_document_is_there_in_chinese_and_english() -> None:
    openapi = app().openapi()
    texts = Texts(docs_page(openapi)).by_language
    assert len(texts["zh"]) == len(texts["en"])
    assert all(re.search("[\u4e00-\u9fff]", text) for text in texts["zh"][1:])  # the first is the button, "English"
    operations = [operation for methods in openapi["paths"].values() for operation in methods.values()]
    described = [openapi["info"], *operations, *(p for operation in operations for p in operation.get("parameters", []))]
    described += [answer for operation in operations for answer in operation["responses"].values()]
    described += [field for model in openapi["components"]["schemas"].values() for field in model["properties"].values()]
    sentences = {one[key] for one in described for key in ("summary", "description") if key in one}
    assert len(sentences) > 30
    assert sentences <= set(texts["en"])


def test_nothing_is_taken_from_elsewhere() -> None:
    application = app()
    application.user_middleware.clear()
    with TestClient(application) as client:
        page = client.get("/docs")
        assert page.headers["content-type"].startswith("text/html")
        assert "default-src 'none'" in page.headers["content-security-policy"]
        assets = re.findall(r'(?:src|href)="([^"]+)"', page.text)
        assert sorted(assets) == ["/docs/docs.css", "/docs/docs.js", "/openapi.json"]
        for text in (page.text, *(client.get(asset).text for asset in assets[:2])):
            assert not re.search(r"(https?:)?//[a-z0-9-]+\.[a-z]", text)
        assert client.get("/redoc").status_code == 404


def test_what_the_document_says_cannot_become_markup() -> None:
    parameter = {"name": "<i>", "in": "query", "description": "<script>", "schema": {"type": "string"}}
    operation = {"summary": "<b>", "parameters": [parameter], "responses": {}}
    page = docs_page({"info": {"title": "<t>", "version": "1"}, "paths": {"/x": {"get": operation}}})
    assert "<script>" not in page
    assert "<i>" not in page
