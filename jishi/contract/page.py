"""Write ``docs/events.md``: every event type with its fields and its released example. ``python -m jishi.contract.page``."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

from jishi.contract.events import EVENT_TYPES, event_json_schema
from jishi.contract.properties import PROPERTIES
from jishi.settings import PROJECT_ROOT

EXAMPLES = PROJECT_ROOT / "tests" / "golden" / "contract_v1" / "events.jsonl"
PAGE = PROJECT_ROOT / "docs" / "events.md"

_SHORT = {"Id": "id", "Text": "string", "Currency": "code", "Filled": "object", "Instant": "time"}

# Types that the end of a name says.
_ENDINGS = {"id": "_id", "integer": "_minor", "code": "currency"}

# Fields that the place which accepts an event writes into it; the head of the page names them.
_WRITTEN_AT_ACCEPTANCE = re.compile(r"home_\w+|fx_rate(_date)?|filled")

_HEAD = """\
# Events, contract version 1

Made by `make docs` from `jishi/contract/`; do not edit. JSON Schemas lie in [schemas/](schemas/) and are served at
`GET /v1/schemas/{type}`. [How the contract may change](contract-evolution.md), [how to send](events-intake.md).

An event is a JSON object. Unknown fields are kept. One that breaks the contract goes to [quarantine](quarantine.md).

- **Ids** (`*_id`): at most 200 characters, none a control character; trimmed and brought into Unicode NFC. `null`, `undefined`,
  `None`, `NaN` (in any case), `[object Object]`, the nil UUID and empty text are refused, and so are ids that
  begin with `page:` or (a person's) `import:`.
- **Whole numbers**: at most 2^53 − 1, and so are quantity × price, the sums of an order and what was paid (`amount_too_large`).
  `1.0` is read as 1; `true` and `"1"` are no numbers. No discount exceeds what it is taken from (`discount_above_order`).
- **Money** (`*_minor`): an integer in minor units (cents, 分); `currency` is an ISO 4217 code, withdrawn ones included, and the
  shop's home currency where it is left out.
- **Times**: ISO 8601 with an offset, cut to milliseconds, from 1970 to a year ahead of now (`beyond_horizon`), also in imports.
- A JSON Schema takes what the contract takes, except that it cannot check sums and products, days that a month does not
  have, and the horizon.

| envelope (**bold**: needed) | meaning |
|---|---|
| **`event_id`** | chosen by the storefront, unique in the shop; sent again it counts once |
| **`shop_id`** | lower-case letters, digits, `-`, `_`; the shop of the key |
| **`type`** | one of the types below |
| **`occurred_at`** | the storefront's clock |
| `sent_at` | the device's clock at sending; `occurred_at` is then corrected by `collected_at − sent_at` |
| `device_occurred_at` | `occurred_at` before that correction, written by the collector |
| `received_at` | read from imported history only; a live event gets the log's time |
| **`anonymous_id`**, **`user_id`** | the person before and after login; one is needed, but not of `item_changed` |
| `session_id` | the visit, as the storefront counts it |
| `schema_version` | 1 |
| `context` | `channel`, `campaign`, `referrer`, `device`, `city` |
| **`properties`** | what the type says |

Written at acceptance and not listed below: `home_*` and `fx_rate*` ([money](money.md)), and `filled`: which of `category` and
`unit_price_minor` came from the catalogue, because the storefront left them out (`absent`) or sent `null`.
"""


def render(examples: dict[str, Any]) -> str:
    """The page; ``examples`` is one released event by type, of which an order is shown."""
    parts = [_HEAD]
    for name in EVENT_TYPES:
        schema = event_json_schema(name)
        fields = _fields(schema["$defs"][PROPERTIES[name].__name__], schema["$defs"])
        parts.append(f"\n## {name}\n\n{' '.join((PROPERTIES[name].__doc__ or '').replace('``', '`').split())}\n\n{fields}\n")
        if name == "order_paid":
            parts.append(f"\n```json\n{_json(examples[name]['properties'])}\n```\n")
    return "".join(parts)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _fields(form: dict[str, Any], named: dict[str, Any]) -> str:
    """The properties that a sender may give, with their types, what is needed in bold."""
    required = set(form.get("required", []))
    return ", ".join(
        f"{f'**`{field}`**' if field in required else f'`{field}`'}{_shown_type(field, _type_words(its, named))}"
        for field, its in form["properties"].items()
        if not _WRITTEN_AT_ACCEPTANCE.fullmatch(field)
    )


def _shown_type(field: str, words: str) -> str:
    """The type, where the name does not say it."""
    return "" if words in _ENDINGS and field.endswith(_ENDINGS[words]) else f" {words}"


def _type_words(form: dict[str, Any], named: dict[str, Any]) -> str:
    if "anyOf" in form:
        return _type_words(next(option for option in form["anyOf"] if option.get("type") != "null"), named)
    if "$ref" in form:
        name = str(form["$ref"]).rsplit("/", 1)[1]
        return _SHORT.get(name) or f"({_fields(named[name], named)})"
    if "enum" in form:
        return " or ".join(f"`{value}`" for value in form["enum"])
    if form.get("type") == "array":
        return f"list of {_type_words(form['items'], named)}"
    return str(form.get("type", "any"))


def read_examples() -> dict[str, Any]:
    """Released examples by type."""
    return {event["type"]: event for event in map(json.loads, EXAMPLES.read_text(encoding="utf-8").splitlines())}


def main(page: Path = PAGE) -> None:
    """Write the page; with ``--check`` fail when it is not up to date."""
    text = render(read_examples())
    if "--check" in sys.argv[1:]:
        sys.exit(0 if page.read_text(encoding="utf-8") == text else f"{page} is out of date; run make docs")
    page.write_text(text, encoding="utf-8")
    print(f"wrote {page}")


if __name__ == "__main__":
    main()
