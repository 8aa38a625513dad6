"""The page ``/docs``: the API as its OpenAPI document says it, in Chinese and English, with a form to try it. It takes nothing
from the internet.
"""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi.requests import Request
from fastapi.responses import Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from serving.docs.chinese import CHINESE

_FOLDER = Path(__file__).parent
_FILES = {"docs.js": "text/javascript", "docs.css": "text/css"}
_POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; frame-ancestors 'none'"
_WORDS = {
    "parameter": "参数",
    "where": "位置",
    "type": "类型",
    "meaning": "含义",
    "answers": "回答",
    "body": "请求体",
    "Try it": "试一试",
    "Send": "发送",
    "default": "默认",
}
_TEMPLATES = Environment(
    loader=FileSystemLoader(_FOLDER), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
)


def add_docs(app: FastAPI) -> None:
    """Serve the page of the application's own OpenAPI document at ``/docs``."""
    contents = {name: (_FOLDER / name).read_text(encoding="utf-8") for name in _FILES}
    headers = {"Content-Security-Policy": _POLICY, "X-Content-Type-Options": "nosniff"}

    def page(_: Request) -> Response:
        return Response(docs_page(app.openapi()), media_type="text/html", headers=headers)

    def asset(request: Request) -> Response:
        name = request.url.path.rpartition("/")[2]
        return Response(contents[name], media_type=_FILES[name], headers=headers)

    app.add_route("/docs", page, include_in_schema=False)
    for name in _FILES:
        app.add_route(f"/docs/{name}", asset, include_in_schema=False)


def docs_page(openapi: dict[str, Any]) -> str:
    """HTML of an OpenAPI document: every operation with its parameters and answers."""
    return _TEMPLATES.get_template("docs.html").render(
        info=openapi["info"],
        paths=openapi["paths"],
        schemas=openapi.get("components", {}).get("schemas", {}),
        chinese=CHINESE | _WORDS,
        type_of=_type,
        alternatives_of=_alternatives,
        json=partial(json.dumps, ensure_ascii=False, indent=2),
    )


def _type(schema: dict[str, Any]) -> str:
    """A schema in a few words: ``integer 1–100``, ``home | item``, ``string[]``."""
    if "anyOf" in schema:
        return " | ".join(map(_type, _alternatives(schema)))
    if "enum" in schema:
        return " | ".join(map(str, schema["enum"]))
    if "const" in schema:
        return str(schema["const"])
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if schema.get("type") == "array":
        return f"{_type(schema.get('items', {}))}[]"
    span = f" {schema['minimum']}–{schema['maximum']}" if {"minimum", "maximum"} <= schema.keys() else ""
    return str(schema.get("type", "any")) + span


def _alternatives(schema: dict[str, Any]) -> list[dict[str, Any]]:
    """What a value may be besides null; none where the schema leaves no choice."""
    return [each for each in schema.get("anyOf", ()) if each.get("type") != "null"]
