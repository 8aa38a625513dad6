"""What is wrong with rules, in a sentence that names the rule, the field and the fix."""

from __future__ import annotations

import json
from typing import Any

from pydantic import ValidationError

from jishi.rules.rule_set import KINDS, RuleSet


class BadRules(ValueError):
    """Rules that cannot be; ``complaints`` are sentences, one a mistake."""

    def __init__(self, complaints: list[str]) -> None:
        super().__init__("; ".join(complaints))
        self.complaints = complaints


def rules_of(value: Any) -> RuleSet:
    """Rules from plain values, ``{"rules": [...]}``. Raises BadRules."""
    try:
        # As JSON, so that a number in quotes is not taken for one, and a list is taken for a tuple.
        return RuleSet.model_validate_json(json.dumps(value), strict=True)
    except ValidationError as error:
        raise BadRules([_complaint(each, value) for each in error.errors()]) from None
    except (ValueError, RecursionError) as error:
        raise BadRules([f"this is no JSON that can be read: {error}"]) from None


def rules_of_text(text: str | bytes) -> RuleSet:
    """Rules from JSON. Raises BadRules."""
    try:
        return rules_of(json.loads(text))
    except (ValueError, RecursionError) as error:
        if isinstance(error, BadRules):
            raise
        raise BadRules([f"this is not JSON: {error}"]) from None


def _complaint(error: Any, value: Any) -> str:
    """``rules.0.factor of "new season": Input should be greater than 1``, without the kind that pydantic puts into the path."""
    place = [part for number, part in enumerate(error["loc"]) if not (number == 2 and part in KINDS)]
    rule = _rule_at(place, value)
    name = f' of "{rule["name"]}"' if isinstance(rule.get("name"), str) else ""
    return f"{'.'.join(map(str, place)) or 'rules'}{name}: {_message(error, rule)}"


def _rule_at(place: list[Any], value: Any) -> dict[str, Any]:
    rules = value.get("rules") if isinstance(value, dict) else None
    has_rule = len(place) > 1 and isinstance(rules, list) and isinstance(place[1], int) and isinstance(rules[place[1]], dict)
    return rules[place[1]] if has_rule else {}  # type: ignore[index]


def _message(error: Any, rule: dict[str, Any]) -> str:
    message = str(error["msg"]).removeprefix("Value error, ")
    match error["type"]:
        case "missing":
            return "is missing; give it"
        case "extra_forbidden":
            kind = KINDS.get(str(rule.get("kind")))
            known = kind.model_fields if kind is not None and len(error["loc"]) == 4 else {}
            return "is no field here; leave it out" + (f", or choose {', '.join(known)}" if known else "")
        case "union_tag_not_found" | "union_tag_invalid":
            return f"kind: choose {', '.join(KINDS)}"
        case _:
            return message
