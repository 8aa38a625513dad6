"""YAML that people write → plain values; whatever is wrong with it is one kind of error."""

from __future__ import annotations

from typing import Any

import yaml


class NotYaml(ValueError):
    """A text that cannot be read as YAML; the message says where or why."""


def parse_yaml(text: str, loader: type[yaml.SafeLoader] = yaml.SafeLoader) -> Any:
    """The value of a YAML document. Raises NotYaml.

    PyYAML lets through what its constructors meet: ``0000-00-00`` is a ValueError, ``!!int`` alone an IndexError, a thousand
    brackets a RecursionError.
    """
    try:
        value = yaml.load(text, loader)
        _refuse_halves_of_characters(value)
        return value
    except (yaml.YAMLError, ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
        raise NotYaml(str(error) or type(error).__name__) from None


def _refuse_halves_of_characters(value: Any) -> None:
    """An escape such as ``\\ud800`` makes a text that nothing can write. Raises NotYaml."""
    seen: set[int] = set()
    waiting = [value]
    while waiting:
        part = waiting.pop()
        if isinstance(part, str):
            if not part.isascii() and any("\ud800" <= letter <= "\udfff" for letter in part):
                raise NotYaml(f"{part!a} holds half of a character")
        elif isinstance(part, dict | list | tuple | set) and id(part) not in seen:
            seen.add(id(part))
            waiting.extend(part)
            waiting.extend(part.values() if isinstance(part, dict) else ())
