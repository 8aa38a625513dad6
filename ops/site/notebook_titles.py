"""What a notebook is called: the first two lines of its first cell, English and Chinese."""

from __future__ import annotations

import json

from jishi.metrics import Bilingual
from jishi.settings import PROJECT_ROOT

NOTEBOOKS = PROJECT_ROOT / "notebooks"


def notebook_title(name: str) -> Bilingual:
    """The title of ``notebooks/<name>.ipynb``; the name itself where there is no such file."""
    file = NOTEBOOKS / f"{name}.ipynb"
    lines = "".join(json.loads(file.read_text("utf-8"))["cells"][0]["source"]).splitlines() if file.exists() else [name]
    english = lines[0].removeprefix("# ")
    return Bilingual(english, lines[1] if len(lines) > 1 and lines[1] else english)
