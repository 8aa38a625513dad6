"""``jishi bench``: the measurements behind the documents' numbers, by name; without one, what there is to measure."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Annotated

import typer

from jishi.settings import PROJECT_ROOT
from ops.cli.handover import hand_over

BENCH = PROJECT_ROOT / "bench"
_COMMAND = re.compile(r":?\s*``(?:jishi bench |python -m bench\.)[^`]*``[:.]?\s*")


def bench(
    context: typer.Context,
    name: Annotated[
        str | None, typer.Argument(help="what to measure: a module of bench/ or how its name begins, such as ingest")
    ] = None,
) -> None:
    """Measure one of the numbers that the documents claim; without a name, list them."""
    known = benches()
    if name is None:
        for stem, meaning in known.items():
            print(f"{stem.replace('_', '-'):<{max(map(len, known))}}  {meaning}")
        return
    asked = name.replace("-", "_")
    matches = [stem for stem in known if stem == asked] or [stem for stem in known if stem.startswith(asked)]
    if len(matches) != 1:
        raise typer.BadParameter(f"there is no bench {name!r}; known: {', '.join(known)}", param_hint="NAME")
    hand_over(f"bench.{matches[0]}", context.args, folder=None)


def benches(folder: Path = BENCH) -> dict[str, str]:
    """The modules that measure something, each with the first sentence of its docstring less the command in it."""
    modules = {file.stem: ast.parse(file.read_text(encoding="utf-8")) for file in sorted(folder.glob("*.py"))}
    return {
        stem: _sentence(ast.get_docstring(module) or "")
        for stem, module in modules.items()
        if any(isinstance(node, ast.FunctionDef) and node.name == "main" for node in module.body)
    }


def _sentence(docstring: str) -> str:
    first = " ".join(_COMMAND.sub("", docstring.partition("\n\n")[0]).replace("``", "").split()).strip(".")
    return first[:1].upper() + first[1:]
