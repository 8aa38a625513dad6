"""The notebook of the comparison runs on real reports, and no notebook defines what a module should."""

from __future__ import annotations

import ast
import json
import re
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from models.protocols.__main__ import main
from ops.notebook import NotebookFailed
from ops.site.notebook_titles import NOTEBOOKS
from tests.integration.notebooks.conftest import Publish


def test_it_explains_real_reports(tmp_path: Path, page: Publish, monkeypatch: pytest.MonkeyPatch) -> None:
    """Persons of two tastes: a model that sees tastes leads, and the page says so."""
    rng = np.random.default_rng(0)
    rows = [
        (user, int(user % 2 * 10 + item), place) for user in range(60) for place, item in enumerate(rng.permutation(10)[:6])
    ]
    table = pd.DataFrame(rows, columns=["user_id", "item_id", "place"])
    train, test = tmp_path / "train.parquet", tmp_path / "test.parquet"
    table[table["place"] < 5].to_parquet(train)
    table[table["place"] == 5].to_parquet(test)
    reports = tmp_path / "reports"
    for model in ("popularity", "ease", "auto"):
        files = ["--train", str(train), "--test", str(test), "--json", str(reports / f"shop_{model}.json")]
        kept = ["--per-user", str(reports / f"shop_{model}.parquet")]
        monkeypatch.setattr(sys, "argv", ["evaluate", "interactions", *files, *kept, "--model", model])
        assert main() == 0
    html = page("model_comparison", reports=str(reports))
    assert "Taste counts" in html
    assert "rows that only it hits" in html
    assert html.count("<img ") == 2
    assert not re.search(r"""(src|href)=["']https?:""", html)  # it is read where there is no internet


def test_without_reports_it_says_what_to_do(tmp_path: Path, page: Publish) -> None:
    with pytest.raises(NotebookFailed, match="write some with jishi evaluate"):
        page("model_comparison", reports=str(tmp_path))


@pytest.mark.parametrize("file", sorted(NOTEBOOKS.glob("*.ipynb")), ids=lambda file: file.stem)
def test_a_notebook_imports_and_never_defines(file: Path) -> None:
    for cell in json.loads(file.read_text())["cells"]:
        if cell["cell_type"] == "code":
            assert cell["outputs"] == [], f"{file.name} holds outputs; clear them"
            code = "".join(line for line in cell["source"] if not line.startswith("%"))
            kinds = {type(node) for node in ast.walk(ast.parse(code))}
            assert not kinds & {ast.FunctionDef, ast.ClassDef, ast.Lambda}, f"{file.name} defines; move it to a module"
