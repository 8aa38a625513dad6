"""The page ``/docs``: the API as its OpenAPI document says it, in Chinese and English, with a form to try it. It takes nothing
from the internet.
"""

from __future__ import annotations

import json
from html import escape
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi.requests import Request
from fastapi.responses import Response

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
    info = openapi["info"]
    operations = "\n".join(
        _operation(path, method, operation, openapi)
        for path, methods in openapi["paths"].items()
        for method, operation in methods.items()
    )
    return (
        '<!doctype html><html lang="zh-CN"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(info['title'])}</title>"
        '<link rel="stylesheet" href="/docs/docs.css"><script src="/docs/docs.js" defer></script></head><body>'
        '<button id="language"><span lang="zh">English</span><span lang="en">中文</span></button>'
        f"<h1>{_both(info['title'])} <small>{escape(info['version'])}</small></h1>"
        f'<p>{_both(info.get("description", ""))}</p><p><a href="/openapi.json">openapi.json</a></p>'
        f"{operations}</body></html>"
    )


def _both(english: str) -> str:
    """A text in both languages, of which the page shows one; a text without Chinese stands in both."""
    chinese = _WORDS.get(english) or CHINESE.get(english)
    if chinese is None:
        return escape(english)
    return f'<span lang="zh">{escape(chinese)}</span><span lang="en">{escape(english)}</span>'


def _operation(path: str, method: str, operation: dict[str, Any], openapi: dict[str, Any]) -> str:
    parameters = operation.get("parameters", [])
    rows = "".join(_parameter(parameter) for parameter in parameters)
    heads = "".join(f"<th>{_both(name)}</th>" for name in ("parameter", "where", "type", "meaning"))
    table = f"<div class=wide><table><tr>{heads}</tr>{rows}</table></div>" if parameters else ""
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
    shape = f"<h3>{_both('body')}</h3><pre>{_shape(body, openapi, ())}</pre>" if body else ""
    answers = "".join(_answer(code, answer, openapi) for code, answer in operation.get("responses", {}).items())
    return (
        f"<section><h2><code>{method.upper()} {escape(path)}</code></h2>"
        f"<p><b>{_both(operation.get('summary', ''))}</b></p><p>{_both(operation.get('description', ''))}</p>{table}{shape}"
        f"<h3>{_both('answers')}</h3>{answers}{_form(path, method, parameters, _example(body, openapi))}</section>"
    )


def _parameter(parameter: dict[str, Any]) -> str:
    schema = parameter.get("schema", {})
    needed = " *" if parameter.get("required") else ""
    default = f"; {_both('default')} {escape(str(schema['default']))}" if schema.get("default") is not None else ""
    named = (escape(parameter["name"] + needed), escape(parameter["in"]), escape(_type(schema)) + default)
    return "<tr>" + "".join(f"<td>{cell}</td>" for cell in (*named, _both(parameter.get("description", "")))) + "</tr>"


def _type(schema: dict[str, Any]) -> str:
    """A schema in a few words: ``integer 1–100``, ``home | item``, ``string[]``."""
    if "anyOf" in schema:
        return " | ".join(_type(each) for each in schema["anyOf"] if each.get("type") != "null")
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


def _answer(code: str, answer: dict[str, Any], openapi: dict[str, Any]) -> str:
    content = answer.get("content", {}).get("application/json", {}).get("schema", {})
    shape = _shape(content, openapi, ()) if content else ""
    details = f"<details><summary>JSON</summary><pre>{shape}</pre></details>" if shape and shape != "any" else ""
    return f"<div class=answer><b>{escape(code)}</b> {_both(answer.get('description', ''))}{details}</div>"


def _shape(schema: dict[str, Any], openapi: dict[str, Any], inside: tuple[str, ...]) -> str:
    """An object's fields as indented lines of HTML; a type that contains itself is named only."""
    if "$ref" in schema:
        name = str(schema["$ref"]).rpartition("/")[2]
        return escape(name) if name in inside else _shape(openapi["components"]["schemas"][name], openapi, (*inside, name))
    given = [each for each in schema.get("anyOf", ()) if each.get("type") != "null"]
    if len(given) == 1:  # what may also be null
        return _shape(given[0], openapi, inside)
    if schema.get("type") == "array":
        return f"[{_shape(schema.get('items', {}), openapi, inside)}, …]"
    if "properties" not in schema:
        return escape(_type(schema))
    lines = []
    for name, field in schema["properties"].items():
        meaning = f"  — {_both(field['description'])}" if field.get("description") else ""
        lines.append(f"  {escape(name)}: " + _shape(field, openapi, inside).replace("\n", "\n  ") + meaning)
    return "{\n" + "\n".join(lines) + "\n}"


def _example(schema: dict[str, Any], openapi: dict[str, Any]) -> str | None:
    """An example of a body as JSON; None for an operation without one."""
    if not schema:
        return None
    name = str(schema.get("$ref", "")).rpartition("/")[2]
    named = openapi["components"]["schemas"][name] if name else schema
    return json.dumps(named.get("example", {}), ensure_ascii=False, indent=2)


def _form(path: str, method: str, parameters: list[dict[str, Any]], body: str | None) -> str:
    fields = "".join(_field(parameter) for parameter in parameters)
    if body is not None:
        fields += f'<label>{_both("body")}<textarea name="body" rows="10" data-in="body">{escape(body)}</textarea></label>'
    return (
        '<details class="try"><summary>'
        f'{_both("Try it")}</summary><form data-path="{escape(path)}" data-method="{method.upper()}">'
        f"{fields}<button>{_both('Send')}</button></form><pre class=result hidden></pre></details>"
    )


def _field(parameter: dict[str, Any]) -> str:
    name = escape(parameter["name"])
    hint = ' placeholder="Bearer jk_read_…"' if name == "authorization" else ""
    needed = " required" if parameter.get("required") else ""
    return f'<label>{name}<input name="{name}" data-in="{escape(parameter["in"])}"{needed}{hint}></label>'
