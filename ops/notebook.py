"""Notebooks as pages of the site: papermill runs them on the published tables, nbconvert writes what they show.

A notebook has one cell tagged ``parameters``; papermill sets the values given here in a cell right after it, so that the page
shows what it was run with. A cell that fails ends the run, and the page of the last good run stays. Notebooks share a kernel,
since to start it and import pandas, matplotlib and MetricFlow takes longer than most of them; each begins without names.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import papermill
from jupyter_client.manager import KernelManager
from nbconvert import HTMLExporter
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import NBClientEngine, papermill_engines
from papermill.exceptions import PapermillExecutionError

from jishi.files import write_atomically
from jishi.paths import Paths
from jishi.settings import PROJECT_ROOT
from ops.site.notebook_titles import NOTEBOOKS, notebook_title

CELL_TIMEOUT_S = 300
# nbconvert cuts what is wider than a phone.
_ON_PHONES = """<style>
.jp-OutputArea-output img { max-width: 100%; height: auto }
.jp-OutputArea-output, .highlight pre { overflow-x: auto }
</style></head>"""
# Scripts that nbconvert's page would fetch from the internet, for widgets, formulas and diagrams that no notebook here has.
_FROM_ELSEWHERE = ("require_js_url", "mathjax_url", "jquery_url", "mermaid_js_url")


class NotebookFailed(RuntimeError):
    """A cell raised, or the notebook cannot be run; the message names notebook and error."""


class _SharedKernel(NBClientEngine):  # type: ignore[misc]
    """papermill's own engine on a kernel that stays for the next notebook."""

    @classmethod
    def execute_managed_notebook(cls, nb_man: Any, kernel_name: str, km: KernelManager, **_: Any) -> None:
        client = PapermillNotebookClient(nb_man, km=km, timeout=CELL_TIMEOUT_S, kernel_name=kernel_name)
        client.execute(cleanup_kc=False)
        client.kc.stop_channels()


papermill_engines.register("shared", _SharedKernel)


@contextmanager
def open_kernel() -> Iterator[KernelManager]:
    """A kernel in the project's root, for one notebook after the other."""
    manager = KernelManager(kernel_name="python3", transport="ipc")  # nobody else on the machine can listen
    manager.start_kernel(cwd=str(PROJECT_ROOT))
    try:
        yield manager
    finally:
        manager.shutdown_kernel(now=True)


def publish(paths: Paths, name: str, parameters: Mapping[str, Any], kernel: KernelManager) -> Path:
    """Run ``notebooks/<name>.ipynb`` and return its page on the site, of a shop's notebook in a folder of the shop.

    Raises NotebookFailed with the error of the cell.
    """
    file = NOTEBOOKS / f"{name}.ipynb"
    if not file.exists():
        raise NotebookFailed(f"there is no notebook {name!r}; known: {', '.join(names())}")
    known = papermill.inspect_notebook(file)
    for parameter in parameters:
        if parameter not in known:
            raise NotebookFailed(f"{name} has no parameter {parameter!r}; its cell tagged 'parameters' has {', '.join(known)}")
    _forget_names(kernel)
    logging.getLogger("papermill").setLevel(logging.ERROR)  # it warns of each output that it does not know to log
    try:
        run = papermill.execute_notebook(
            file, None, dict(parameters), engine_name="shared", kernel_name="python3", progress_bar=False, km=kernel
        )
    except PapermillExecutionError as error:
        raise NotebookFailed(f"{file.name}: {error.ename}: {error.evalue}") from error
    exporter = HTMLExporter(
        exclude_input_prompt=True, exclude_output_prompt=True, **dict.fromkeys(_FROM_ELSEWHERE, "data:text/javascript,")
    )
    html, _ = exporter.from_notebook_node(run, {"metadata": {"name": notebook_title(name).en}})
    page = paths.site / "notebooks" / str(parameters.get("shop_id", "")) / f"{name}.html"
    write_atomically(page, html.replace("</head>", _ON_PHONES, 1))
    return page


def names(parameter: str | None = None) -> list[str]:
    """The notebooks that there are, or those that have a parameter."""
    files = sorted(NOTEBOOKS.glob("*.ipynb"))
    return [file.stem for file in files if parameter is None or parameter in papermill.inspect_notebook(file)]


def _forget_names(kernel: KernelManager) -> None:
    """Let the next notebook begin with none of the last one's names and charts; imported modules stay."""
    client = kernel.blocking_client()
    client.start_channels()
    client.wait_for_ready(timeout=60)
    client.execute_interactive("%reset -f -s")
    client.stop_channels()
