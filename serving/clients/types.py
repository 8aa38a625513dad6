"""``python -m serving.clients.types`` writes the clients' types, for Python and TypeScript, from the OpenAPI document."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

PYTHON_TYPES = Path(__file__).parent / "api_types.py"
TYPESCRIPT_TYPES = Path(__file__).parent / "api_types.d.ts"
QUERY = "RecommendationsQuery"
_LIST = "/v1/shops/{shop_id}/recommendations"
_POSTED = (f"{_LIST}/batch", "/v1/shops/{shop_id}/category-order")
_MADE_BY = "made by python -m serving.clients.types from the OpenAPI document; do not edit"
_PLAIN = {
    "python": {"string": "str", "integer": "int", "number": "float", "boolean": "bool"},
    "typescript": {"string": "string", "integer": "number", "number": "number", "boolean": "boolean"},
}


def python_types(openapi: dict[str, Any]) -> str:
    """The module of typed dictionaries."""
    classes = [_python_class(name, schema) for name, schema in _wanted(openapi).items()]
    head = f'"""Shapes of requests and answers, {_MADE_BY}."""\n\nfrom __future__ import annotations\n\n'
    return head + "from typing import Literal, NotRequired, TypedDict\n" + "".join(f"\n\n{each}" for each in classes)


def typescript_types(openapi: dict[str, Any]) -> str:
    """The module of interfaces."""
    return f"// Shapes of requests and answers, {_MADE_BY}.\n" + "".join(
        f"\n{_interface(name, schema)}" for name, schema in _wanted(openapi).items()
    )


def _wanted(openapi: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Schemas that the lists need, by name, and the query of a list as one more."""
    paths, schemas = openapi["paths"], openapi["components"]["schemas"]
    asked = {each["name"]: each for each in paths[_LIST]["get"]["parameters"] if each["in"] == "query"}
    needed = [name for name, each in asked.items() if each.get("required")]
    query = {"properties": {name: each["schema"] for name, each in asked.items()}, "required": needed}
    operations = [paths[_LIST]["get"], *(paths[path]["post"] for path in _POSTED)]
    roots = [query, *(each["responses"]["200"] for each in operations), *(each["requestBody"] for each in operations[1:])]
    names = {name for root in roots for name in _named(root, schemas, set())}
    described = query | {"description": "What a list may be asked by."}
    return {QUERY: described} | {_renamed(name): schemas[name] for name in sorted(names)}


def _renamed(name: str) -> str:
    """The name of a schema in the clients, where what goes in is a body and what comes out an answer."""
    return f"{name.removesuffix('In')}Body" if name.endswith("In") else f"{name.removesuffix('Out')}Answer"


def _named(value: Any, schemas: dict[str, Any], known: set[str]) -> set[str]:
    """Names of all schemas that a part of the document needs."""
    for name in _references(value):
        if name not in known:
            known.add(name)
            _named(schemas[name], schemas, known)
    return known


def _references(value: Any) -> Iterator[str]:
    yield from (match.group(1) for match in re.finditer(r'"#/components/schemas/(\w+)"', json.dumps(value)))


def _python_class(name: str, schema: dict[str, Any]) -> str:
    required = schema.get("required", [])
    lines = [
        f"    {field}: {kind if field in required else f'NotRequired[{kind}]'}"
        for field, kind in ((field, _type(each, "python")) for field, each in schema["properties"].items())
    ]
    return f'class {name}(TypedDict):\n    """{_first_sentence(schema)}"""\n\n' + "\n".join(lines) + "\n"


def _interface(name: str, schema: dict[str, Any]) -> str:
    required = schema.get("required", [])
    lines = []
    for field, each in schema["properties"].items():
        about = f"  /** {each['description']} */\n" if each.get("description") else ""
        lines.append(f"{about}  {field}{'' if field in required else '?'}: {_type(each, 'typescript')};")
    return f"/** {_first_sentence(schema)} */\nexport interface {name} {{\n" + "\n".join(lines) + "\n}\n"


def _first_sentence(schema: dict[str, Any]) -> str:
    text = " ".join(str(schema.get("description", "As the API gives it.")).split())
    return text.partition(". ")[0].rstrip(".") + "."


def _type(schema: dict[str, Any], language: str) -> str:
    """A schema as a type."""
    is_python = language == "python"
    if "$ref" in schema:
        return _renamed(str(schema["$ref"]).rpartition("/")[2])
    if "anyOf" in schema:
        return " | ".join(_type(each, language) for each in schema["anyOf"])
    if "enum" in schema or "const" in schema:
        texts = [json.dumps(each) for each in schema.get("enum", [schema.get("const")])]
        return f"Literal[{', '.join(texts)}]" if is_python else " | ".join(texts)
    kind = schema.get("type")
    if kind == "null":
        return "None" if is_python else "null"
    if kind == "array":
        inner = _type(schema["items"], language)
        return f"list[{inner}]" if is_python else f"Array<{inner}>"
    if kind == "object":
        inner = _type(schema["additionalProperties"], language)
        return f"dict[str, {inner}]" if is_python else f"Record<string, {inner}>"
    return _PLAIN[language][str(kind)]


def main() -> int:
    """Write both files."""
    from jishi.paths import Paths
    from jishi.settings import get_settings
    from serving.api import make_app
    from serving.engine import Engine

    settings = get_settings()
    openapi = make_app(Engine.of(settings, Paths.of(settings))).openapi()
    PYTHON_TYPES.write_text(python_types(openapi), encoding="utf-8")
    TYPESCRIPT_TYPES.write_text(typescript_types(openapi), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
