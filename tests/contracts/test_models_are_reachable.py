"""What is judged is what is served: every model answers requests, makes releases, or lives in the lab and says why.

Computed from the imports of all modules, those inside of functions among them.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).parents[2]
RELEASE_STEPS = ("models.__main__", "models.release.__main__")  # train, evaluate, gate, publish; list, rollback
# Commands of their own: jishi evaluate, and what the marts show.
OTHER_COMMANDS = ("models.protocols", "models.page", "models.lifetime", "models.attribution", "models.after_marts")
LAB = "models.lab"


def is_in(module: str, *packages: str) -> bool:
    """Whether the module is one of these, or within one."""
    return any(module == package or module.startswith(f"{package}.") for package in packages)


def reached(graph: grimp.ImportGraph) -> set[str]:
    """Modules that serving or a release step imports, directly or not, and the packages that they are in."""
    starts = {*RELEASE_STEPS, *(module for module in graph.modules if is_in(module, "serving"))}
    reachable = starts.union(*(graph.find_upstream_modules(start) for start in starts))
    return reachable | {".".join(bits[:n]) for module in reachable for bits in [module.split(".")] for n in range(1, len(bits))}


def faults(graph: grimp.ImportGraph) -> list[str]:
    """What contradicts the layout, each with what to do."""
    reachable = reached(graph)
    models = sorted(module for module in graph.modules if is_in(module, "models"))
    idle = [each for each in models if each not in reachable and not is_in(each, LAB, *OTHER_COMMANDS)]
    in_use = [each for each in models if each in reachable and is_in(each, LAB)]
    return [
        f"{each}: nothing that serves or releases imports it; use it, delete it, or git mv it to models/lab" for each in idle
    ] + [f"{each}: serves or releases; git mv it out of models/lab" for each in in_use]


def is_explained(source: str) -> bool:
    """Whether the docstring has a sentence that says why the module does not serve."""
    text = " ".join((ast.get_docstring(ast.parse(source)) or "").split())
    return re.search(r"\bdo(es)? not serve\b[^.:]*: \w+(\W+\w+){3,}", text) is not None


@pytest.fixture
def graph() -> grimp.ImportGraph:
    return grimp.build_graph("models", "serving", cache_dir=None)


def test_every_module_of_models_serves_releases_or_is_in_the_lab(graph: grimp.ImportGraph) -> None:
    assert faults(graph) == []


def test_every_module_of_the_lab_says_why_it_does_not_serve() -> None:
    modules = [file for file in (ROOT / "models" / "lab").rglob("*.py") if file != ROOT / "models" / "lab" / "__init__.py"]
    assert len(modules) > 10
    assert [str(file.relative_to(ROOT)) for file in modules if not is_explained(file.read_text(encoding="utf-8"))] == []


def test_the_contract_can_fail(graph: grimp.ImportGraph) -> None:
    """A module that nothing imports, one that only ``jishi evaluate`` does, and a lab model that serving imports are named."""
    graph.add_module("models.algorithms.planted")
    graph.add_module("models.ranking.planted")
    graph.add_import(importer="models.protocols.interaction_run", imported="models.ranking.planted")
    graph.add_import(importer="models.candidates.placement_model", imported="models.lab.slim")
    assert [fault.split(":")[0] for fault in faults(graph)] == [
        "models.algorithms.planted",
        "models.ranking.planted",
        "models.lab",
        "models.lab.gram",  # what a lab model needs would serve with it
        "models.lab.slim",
    ]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ('"""A model.\n\nIt does not serve: its matrix is larger than\na release may be.\n"""', True),
        ('"""A model that does not serve."""', False),  # no reason
        ('"""A model.\n\nIt does not serve: slow.\n"""', False),  # hardly one
        ("x = 1", False),
    ],
)
def test_a_reason_is_a_sentence(source: str, expected: bool) -> None:
    assert is_explained(source) == expected
