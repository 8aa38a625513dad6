"""Who reads a feature: the modules of ``models/`` and ``serving/`` whose code names it, found in their syntax trees."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from pathlib import Path

from jishi.features.definition import Feature
from jishi.features.registry import FEATURES, operands, prior_operands
from jishi.settings import PROJECT_ROOT

READING = ("models", "serving")


def readers_of_features(features: Sequence[Feature] = FEATURES, root: Path = PROJECT_ROOT) -> dict[str, list[str]]:
    """By feature, the modules that name it, or name a derived feature that is made of it; sorted, empty without any.

    A feature that holds the times or values of another one is read where that one is.
    """
    names_by_module = {
        str(file.relative_to(root)): _texts(file) for folder in READING for file in sorted((root / folder).rglob("*.py"))
    }
    readers = {
        feature.name: {module for module, texts in names_by_module.items() if feature.name in texts} for feature in features
    }
    for feature in features:
        for part in _made_of(feature, features):
            readers[part] |= readers[feature.name]
    for feature in features:
        if feature.times_of or feature.name.endswith("_values"):
            readers[feature.name] |= readers[feature.times_of or feature.name.removesuffix("_values")]
    return {name: sorted(modules) for name, modules in readers.items()}


def _made_of(feature: Feature, features: Sequence[Feature]) -> Iterator[str]:
    if feature.is_derived:
        yield from (part.name for part in (*operands(feature, features), *prior_operands(feature, features)))
    if feature.prior:
        yield feature.prior


def _texts(file: Path) -> set[str]:
    """Texts of a module's code; docstrings are whole texts that no feature is called."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    return {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)}
