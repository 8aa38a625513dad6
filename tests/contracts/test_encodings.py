"""Files are UTF-8 whatever the machine's locale is: every text that is read or written names its encoding."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from jishi.shops import Shop, Shops

ROOT = Path(__file__).parents[2]
PARTS = (
    *("jishi", "collector", "imports", "simulator", "flink_jobs", "spark_jobs", "decision_log", "feature_repo", "models"),
    *("serving", "dashboard", "quality", "ops", "dags"),
)


def unnamed(tree: ast.AST) -> Iterator[int]:
    """Lines of calls that take the locale's encoding."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or any(keyword.arg in ("encoding", None) for keyword in node.keywords):
            continue
        name = getattr(node.func, "attr", getattr(node.func, "id", ""))
        is_method = isinstance(node.func, ast.Attribute)
        place = 0 if is_method and name == "open" else 1
        mode = getattr(node.args[place], "value", "") if len(node.args) > place else ""
        is_text_file = name in ("open", "fdopen") and isinstance(mode, str) and mode != "" and set(mode) <= set("rwax+t")
        if (name == "read_text" and not node.args) or (name == "write_text" and len(node.args) == 1) or is_text_file:
            yield node.lineno


@pytest.mark.parametrize("part", PARTS)
def test_text_names_its_encoding(part: str) -> None:
    files = sorted((ROOT / part).rglob("*.py"))
    assert files
    places = [f"{file.relative_to(ROOT)}:{line}" for file in files for line in unnamed(ast.parse(file.read_bytes()))]
    assert places == [], 'add encoding="utf-8"'


_READ = """
import sys
from pathlib import Path
from jishi.shops import Shops
print(ascii(Shops.load(Path(sys.argv[1])).shops["mei"].name))
"""


@pytest.mark.skipif(shutil.which("localedef") is None, reason="no localedef to make a locale with")
def test_a_machine_of_another_encoding_reads_a_shop_of_this_one(tmp_path: Path) -> None:
    """semantic-kernel 3643, GNS3 170: where files are GBK, no command could read the registry of a shop with a Chinese name."""
    locale = ["localedef", "-i", "zh_CN", "-f", "GB18030", str(tmp_path / "zh_CN.GB18030")]
    if subprocess.run(locale, capture_output=True, check=False).returncode:
        pytest.skip("no sources of locales")
    shops = Shops()
    shops.add(Shop(shop_id="mei", name="马面裙™"))
    shops.save(tmp_path / "shops.json")
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONUTF8", "PYTHONIOENCODING")}
    environment |= {"LOCPATH": str(tmp_path), "LC_ALL": "zh_CN.GB18030", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", _READ, str(tmp_path / "shops.json")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == ascii("马面裙™"), done.stderr[-500:]
