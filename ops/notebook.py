"""Execute a notebook on the published tables and keep it as a page: ``python -m ops.notebook execute`` (main environment).

A notebook has one cell tagged ``parameters``; the values given here are set in a cell right after it, so that the page shows
what it was run with. A cell that fails fails the command, and the page of the last good run stays.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path
from typing import Any

from jishi.files import write_atomically
from jishi.paths import Paths
from jishi.settings import PROJECT_ROOT, get_settings
from jishi.shops import Shops

NOTEBOOKS = PROJECT_ROOT / "notebooks"
OVERVIEW = "shop_overview"
CELL_TIMEOUT_S = 300


class NotebookFailed(RuntimeError):
    """A cell raised, or the notebook cannot be run; the message names notebook and error."""


def execute(paths: Paths, name: str, parameters: dict[str, Any]) -> Path:
    """Run ``notebooks/<name>.ipynb`` with ``parameters`` and return its page in ``var/demo/``; the site shows a copy.

    Raises NotebookFailed with the error of the cell.
    """
    import nbformat
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError
    from nbconvert import HTMLExporter

    file = NOTEBOOKS / f"{name}.ipynb"
    if not file.exists():
        raise NotebookFailed(f"there is no notebook {name!r} in {NOTEBOOKS}")
    notebook = nbformat.read(file, as_version=4)
    position = next((i for i, cell in enumerate(notebook.cells) if "parameters" in cell.metadata.get("tags", [])), None)
    if position is None:
        raise NotebookFailed(f"{file} has no cell tagged 'parameters'")
    if parameters:
        given = "\n".join(f"{key} = {value!r}" for key, value in parameters.items())
        notebook.cells.insert(position + 1, nbformat.v4.new_code_cell(given))
    client = NotebookClient(
        notebook, timeout=CELL_TIMEOUT_S, kernel_name="python3", resources={"metadata": {"path": str(PROJECT_ROOT)}}
    )
    try:
        client.execute()
    except CellExecutionError as error:
        raise NotebookFailed(f"{file.name}: {error.ename}: {error.evalue}") from error
    html, _ = HTMLExporter(exclude_input_prompt=True, exclude_output_prompt=True).from_notebook_node(notebook)
    page = paths.demo / f"{name}.html"
    write_atomically(page, html)
    served = paths.site / "notebooks" / page.name
    served.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(page, served)
    return page


def _parameter(text: str) -> tuple[str, str]:
    name, separator, value = text.partition("=")
    if not separator or not name.isidentifier():
        raise argparse.ArgumentTypeError(f"{text!r} is no NAME=TEXT")
    return name, value


def main() -> int:
    """Run one notebook; an error that a user can mend is printed in one line."""
    parser = argparse.ArgumentParser(prog="python -m ops.notebook", description="Notebooks as pages.")
    parser.add_argument("command", choices=("execute",))
    parser.add_argument("--name", default=OVERVIEW, help=f"notebook in notebooks/ (default: {OVERVIEW})")
    parser.add_argument("--shop", help="shop that the page is about; default: the one in the notebook's parameters cell")
    parser.add_argument(
        "--set",
        action="append",
        type=_parameter,
        default=[],
        metavar="NAME=TEXT",
        help="a parameter of the notebook; may repeat",
    )
    chosen = parser.parse_args()
    paths = Paths.of(get_settings())
    known = Shops.load(paths.shops_file).shops
    if chosen.shop is not None and chosen.shop not in known:
        parser.error(f"--shop: {chosen.shop!r} is not registered; known: {', '.join(sorted(known)) or 'none'}")
    parameters = dict(chosen.set) | ({"shop_id": chosen.shop} if chosen.shop else {})
    try:
        print(f"page written to {execute(paths, chosen.name, parameters)}")
    except NotebookFailed as error:
        print(f"ops.notebook {chosen.command}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
