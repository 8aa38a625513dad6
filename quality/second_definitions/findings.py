"""Where a number is defined a second time: in files that people's numbers come from, less exceptions with their reasons."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from quality.second_definitions.boards import in_yaml
from quality.second_definitions.notebook import in_notebook
from quality.second_definitions.python import in_python
from quality.second_definitions.vocabulary import Vocabulary

# What people read numbers from. Tests, benches, the simulator's truth and quality's counts are second readings by intent.
READERS = ("dashboard", "notebooks", "ops", "serving", "jishi")
EXCEPTIONS = {
    "ops/order_sums.py": "adds up what an import brought, in its own currencies, to hold against the old system's reports",
}


@dataclass(frozen=True)
class SecondDefinition:
    """A place that computes a number which only the metric layer may; ``place`` is a line, a cell with its line, or nothing."""

    file: str
    place: str
    what: str

    def __str__(self) -> str:
        return f"{self.file}{self.place} {self.what}; read it with jishi.metrics or from a saved query"


def find_in(root: Path, words: Vocabulary, readers: tuple[str, ...] = READERS) -> list[SecondDefinition]:
    """All findings below ``root``, those of EXCEPTIONS too. Raises what a file that does not parse raises."""
    findings = []
    for file in sorted(file for reader in readers for file in (root / reader).rglob("*")):
        name = str(file.relative_to(root))
        if file.suffix in (".py", ".ipynb", ".yaml", ".yml"):
            findings += [SecondDefinition(name, place, what) for place, what in _of_file(file, words)]
    return findings


def _of_file(file: Path, words: Vocabulary) -> Iterator[tuple[str, str]]:
    text = file.read_text("utf-8")
    if file.suffix == ".py":
        yield from ((f":{line}", what) for line, what in in_python(text, words))
    elif file.suffix == ".ipynb":
        cells = [cell for cell in enumerate(json.loads(text)["cells"]) if cell[1]["cell_type"] == "code"]
        sources = [(number, _python(cell["source"])) for number, cell in cells]
        for number, source in sources:
            yield from ((f" cell {number}:{line}", what) for line, what in in_python(source, words))
        yield from ((f" cell {number}:{line}", what) for number, line, what in in_notebook(sources))
    else:
        yield from (("", what) for what in in_yaml(text, words))


def _python(lines: list[str]) -> str:
    """A cell without the commands to the notebook's own shell."""
    return "\n".join("" if line.startswith(("%", "!")) else line for line in "".join(lines).splitlines())


def same_metrics(manifest: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Names of metrics that are one number, each group once."""
    names = defaultdict(list)
    for metric in manifest["metrics"]:
        parameters = metric["type_params"]
        keys = ("metric_aggregation_params", "expr", "numerator", "denominator", "metrics", "cumulative_type_params")
        definition = [metric["type"], metric["filter"], *(parameters[key] for key in keys)]
        names[json.dumps(definition, sort_keys=True).replace(" ", "").lower()].append(metric["name"])
    return [tuple(sorted(group)) for group in names.values() if len(group) > 1]
