"""dbt in a process of its own that reads the project before it is told what to run.

Its start takes about as long as comparing two versions of the lake does, which it does not wait for: the database, which one
process alone may write to, is opened when the arguments have come.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from jishi.settings import PROJECT_ROOT
from ops import dbt

if TYPE_CHECKING:
    from dbt.contracts.graph.manifest import Manifest

RunDbt = Callable[[list[str]], "subprocess.CompletedProcess[str]"]
BUILD_ALL = {"JISHI_DBT_BUILD_ALL": "1"}  # variables of a dbt that builds what depends on a test that fails, too
_READ, _UNREADABLE = "dbt has read the project", "dbt cannot read the project"  # the process prints one of these lines


@contextmanager
def started_dbt(environment: dict[str, str], when_read: Callable[[], object] = lambda: None) -> Iterator[RunDbt]:
    """A dbt that has begun to read the project, to be called once; its output is captured. It ends with the block.

    ``when_read`` is called as the run begins, when dbt's target folder has the definitions of the metrics; it must not wait.
    """
    process = subprocess.Popen(
        [sys.executable, "-m", "ops.dbt_process", str(dbt.DBT)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=PROJECT_ROOT,
        env=os.environ | environment,
    )

    def run(arguments: list[str]) -> subprocess.CompletedProcess[str]:
        assert process.stdout is not None
        before = []
        for line in iter(process.stdout.readline, ""):
            if line.strip() in (_READ, _UNREADABLE):
                if line.strip() == _READ:
                    when_read()
                break
            before.append(line)
        output, _ = process.communicate(json.dumps(arguments))
        return subprocess.CompletedProcess(arguments, process.returncode, "".join(before) + output)

    try:
        yield run
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                stream.close()


def run_dbt(arguments: list[str], environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run dbt in the project with these variables; its output is captured."""
    with started_dbt(environment) as run:
        return run(arguments)


def main() -> int:
    """Read the project in a folder, then the arguments as JSON up to the end of the input, and run them, if there are any."""
    from dbt.cli.main import dbtRunner
    from dbt.contracts.graph.semantic_manifest import SemanticManifest

    [_, project] = sys.argv
    manifest = _read(project)
    if manifest is not None:
        metrics = Path(os.environ["DBT_TARGET_PATH"]) / "semantic_manifest.json"
        SemanticManifest(manifest).write_json_to_file(str(metrics))
        if BUILD_ALL.items() <= os.environ.items():
            _let_tests_warn(manifest)
    print(_READ if manifest is not None else _UNREADABLE, flush=True)
    arguments = sys.stdin.read()
    if not arguments:
        return 1
    # What is wrong with the project is said by the run itself.
    done = dbtRunner(manifest=manifest).invoke(["--no-use-colors", *json.loads(arguments), "--project-dir", project])
    if done.exception is not None:
        print(done.exception)
    return 0 if done.success else 1


def _read(project: str) -> Manifest | None:
    """The project as dbt reads it, None where it cannot."""
    from dbt.cli.main import dbtRunner
    from dbt.contracts.graph.manifest import Manifest

    before = dict(os.environ)
    with dbt.read_in_common(before) as environment:
        os.environ |= environment
        arguments = ["--log-level", "none", "--log-level-file", "none", "--no-write-json", "parse", "--project-dir", project]
        result = dbtRunner().invoke(arguments).result
        os.environ.clear()
        os.environ |= before
    return result if isinstance(result, Manifest) else None


def _let_tests_warn(manifest: Manifest) -> None:
    """Set the severity of tests that are a query of their own: dbt leaves nothing out after a test that warns."""
    from dbt.artifacts.resources.v1.config import Severity
    from dbt.contracts.graph.nodes import SingularTestNode

    for node in manifest.nodes.values():
        if isinstance(node, SingularTestNode):
            node.config.severity = Severity("WARN")


if __name__ == "__main__":
    sys.exit(main())
