"""Write ``docs/events.md``: every event type with its fields and its released example. ``python -m jishi.contract.page``."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from jishi.contract.events import EVENT_TYPES, event_json_schema
from jishi.contract.properties import PROPERTIES
from jishi.settings import PROJECT_ROOT

EXAMPLES = PROJECT_ROOT / "tests" / "golden" / "contract_v1" / "events.jsonl"
PAGE = PROJECT_ROOT / "docs" / "events.md"

_HEAD = """\
# Events, contract version 1

Made by `make docs` from `jishi/contract/`; do not edit. The JSON Schema of a type lies in [schemas/](schemas/) and is served by
the collector at `GET /v1/schemas/{type}`. How the contract may change stands in [contract-evolution.md](contract-evolution.md).

An event is a JSON object. Unknown fields are kept. A field that is missing, has the wrong type or a value that is not allowed
puts the event into quarantine with its shop, the reason, the field and the raw line.

- **Ids** are trimmed and brought into Unicode's form NFC, so that one id has one spelling; at most 200 characters, none of
  them a control character. `null`, `undefined`, `None`, `NaN` (in any case) and the empty text are refused: they name nobody.
- **Whole numbers** are at most 2^53 − 1; `1.0` is read as 1, `true` and `"1"` are not numbers.
- **Derived amounts** have the same bound: quantity × price, the sums of an order and what was paid (`amount_too_large`). No
  discount is larger than what it is taken from (`discount_above_order`).
- **Currencies** are codes of ISO 4217, withdrawn ones included, for money of a shop (no metals, no `XXX`).
- **Times** carry an offset and lie between 1970 and a year ahead of now, in imports too (`beyond_horizon`).
- The JSON Schemas take what the contract takes, but for three rules that a schema cannot say: derived amounts, days that a
  month does not have, and what lies beyond the horizon.

| envelope field | needed | meaning |
|---|---|---|
| `event_id` | yes | chosen by the storefront, unique within the shop; the same id sent again counts once |
| `shop_id` | yes | lower-case letters, digits, `-`, `_`; must be the shop of the key |
| `type` | yes | one of the types below |
| `occurred_at` | yes | ISO 8601 with an offset, cut to milliseconds; the storefront's clock |
| `sent_at` | no | the device's clock at the moment of sending; `occurred_at` is then corrected by `collected_at − sent_at` |
| `device_occurred_at` | no | written by the collector: what the device said before the correction |
| `received_at` | no | only read from imported history; a live event gets the log's time |
| `anonymous_id`, `user_id` | one of them | the person, before and after login |
| `session_id` | no | the visit, as the storefront counts it |
| `schema_version` | no | 1 |
| `context` | no | `channel`, `campaign`, `referrer`, `device`, `city` |
| `properties` | yes | what the type says |

`filled` is written by the collector: which of `category` and `unit_price_minor` the storefront left out (`absent`) or sent as
`null`, so that the collector took them from the catalogue that it knew then.

Money is an integer in minor units (`*_minor`: cents, 分) with a `currency` where it leaves the shop.
"""


def render(examples: dict[str, Any]) -> str:
    """The page; ``examples`` is one released event by type."""
    parts = [_HEAD]
    for name in EVENT_TYPES:
        parts.append(f"\n## {name}\n\n{(PROPERTIES[name].__doc__ or '').strip()}\n")
        parts.append("\n| property | type | needed |\n|---|---|---|\n")
        parts += _property_rows(name)
        parts.append(f"\n```json\n{_example(examples[name])}\n```\n")
    return "".join(parts)


def _example(event: dict[str, Any]) -> str:
    """The event on two lines: the envelope, and what the type says."""
    text = json.dumps(event, ensure_ascii=False)
    head, properties = text.split(', "properties": ', 1)
    return f'{head},\n "properties": {properties}'


def _property_rows(name: str) -> list[str]:
    schema = event_json_schema(name)
    properties = schema["$defs"][PROPERTIES[name].__name__]
    required = set(properties.get("required", []))
    rows = []
    named = schema["$defs"]
    for field, form in properties["properties"].items():
        rows.append(f"| `{field}` | {_type_words(form, named)} | {'yes' if field in required else 'no'} |\n")
    return rows


def _type_words(form: dict[str, Any], named: dict[str, Any]) -> str:
    if "anyOf" in form:
        return _type_words(next(option for option in form["anyOf"] if option.get("type") != "null"), named)
    if "$ref" in form:
        name = str(form["$ref"]).rsplit("/", 1)[1]
        return {"Id": "id", "Text": "string"}.get(name) or (_type_words(named[name], named) if name == "Currency" else name)
    if "enum" in form:
        return " or ".join(f"`{value}`" for value in form["enum"])
    if form.get("type") == "array":
        return f"list of {_type_words(form['items'], named)}"
    if form.get("description"):
        return f"{form['type']}, {form['description']}"
    return str(form.get("type", "any"))


def read_examples() -> dict[str, Any]:
    """Released examples by type."""
    return {event["type"]: event for event in map(json.loads, EXAMPLES.read_text().splitlines())}


def main(page: Path = PAGE) -> None:
    """Write the page; with ``--check`` fail when it is not up to date."""
    text = render(read_examples())
    if "--check" in sys.argv[1:]:
        sys.exit(0 if page.read_text() == text else f"{page} is out of date; run make docs")
    page.write_text(text)
    print(f"wrote {page}")


if __name__ == "__main__":
    main()
