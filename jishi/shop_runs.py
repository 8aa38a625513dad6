"""One run of one job over many shops: which are done, which had nothing to do, which failed and why.

A shop's failure is its own: it is named, keeps its old rows, and the other shops go on. A run that has an id keeps a ledger,
``var/runs/<run id>/<job>.jsonl``, one line a shop and attempt, so that a retry takes up failed shops only.
"""

from __future__ import annotations

import json
import logging
import re
import shutil
import time
from argparse import ArgumentParser
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal, TypeVar

from rich.console import Console

from jishi.files import append_line
from jishi.paths import Paths
from jishi.text_tables import TextTable

ShopState = Literal["done", "nothing to do", "failed", "unexpected"]
Result = TypeVar("Result")
SOME_FAILED, ALL_FAILED, UNEXPECTED = 3, 1, 4  # exit codes of a job
KEPT_RUNS = 3_000  # two weeks of runs, of which the watch alone makes 144 a day
_RUN = re.compile(r"(?!\.+(@|$))[A-Za-z0-9_.~:+-]+(@\d+)?")  # Airflow's run ids and a series; not a name of dots
_LOG = logging.getLogger(__name__)


class NothingToDo(Exception):
    """The shop has nothing that the job could work on, such as no orders yet; this is no failure."""


class BadRunId(ValueError):
    """A run id that cannot name a folder."""


@dataclass(frozen=True)
class ShopResult:
    """What became of one shop: ``reason`` says why it failed or had nothing to do, ``seconds`` how long it took.

    ``unexpected`` is a failure that no one foresaw, which is a fault of the program; its traceback stands in the job's log.
    """

    shop_id: str
    state: ShopState
    reason: str = ""
    seconds: float = 0.0

    @property
    def is_failed(self) -> bool:
        """Whether a retry takes the shop up again."""
        return self.state in ("failed", "unexpected")


@dataclass(frozen=True)
class JobResult:
    """Results of all shops that a job took up. It left out ``earlier``, which an earlier attempt of the run had finished, and
    ``not_ready``, which the job before it has not done.
    """

    job: str
    shops: list[ShopResult] = field(default_factory=list)
    earlier: list[str] = field(default_factory=list)
    not_ready: list[str] = field(default_factory=list)

    @property
    def failed(self) -> list[ShopResult]:
        """Shops that keep their old rows."""
        return [result for result in self.shops if result.is_failed]

    @property
    def exit_code(self) -> int:
        """0: no shop failed; 3: some did; 1: every one did; 4: at least one in a way that nobody foresaw."""
        if not self.failed:
            return 0
        if any(result.state == "unexpected" for result in self.failed):
            return UNEXPECTED
        return ALL_FAILED if len(self.failed) == len(self.shops) + len(self.earlier) else SOME_FAILED

    def show(self, console: Console, *, at_most: int = 50) -> None:
        """Print one line a shop; of more than ``at_most`` shops only those that are not done."""
        rows = self.shops if len(self.shops) <= at_most else [row for row in self.shops if row.state != "done"]
        table = TextTable("shop", "state", "seconds", "reason")
        for row in rows:
            table.add_row(row.shop_id, row.state, f"{row.seconds:.1f}", row.reason, style="red" if row.is_failed else "")
        if rows:
            console.print(table)
        console.print(f"{self.job}: {self.sentence}", highlight=False, soft_wrap=True)

    @property
    def sentence(self) -> str:
        """How many shops are done, had nothing to do, failed."""
        counts = {state: sum(result.state == state for result in self.shops) for state in ("done", "nothing to do")}
        parts = [f"{counts['done']} done", f"{counts['nothing to do']} with nothing to do", f"{len(self.failed)} failed"]
        parts += [f"{len(self.earlier)} finished before"] if self.earlier else []
        parts += [f"not ready: {', '.join(self.not_ready)}"] if self.not_ready else []
        return ", ".join(parts)


class ShopRuns:
    """The ledger of one job in one run. ``run`` is ``<id>`` or ``<id>@<series>``; without one nothing is kept.

    Within a series a shop that is done stays done. A new series does every shop again: Airflow's own retries are one series,
    and a task that a person clears begins the next. Several processes may record at once. Raises BadRunId.
    """

    def __init__(self, paths: Paths, job: str, run: str | None) -> None:
        if run is not None:
            _check(run)
        self.job = job
        run_id, _, series = (run or "").partition("@")
        self._series = int(series or 0)
        self._folder = None if run is None else paths.runs / run_id

    def record(self, result: ShopResult) -> None:
        """Keep a result; it is on the disk when this returns."""
        if self._folder is not None:
            line = json.dumps(asdict(result) | {"series": self._series}, ensure_ascii=False)
            append_line(self._folder / f"{self.job}.jsonl", line)

    def pending(self, shop_ids: Sequence[str], *, after: str | None = None) -> list[str]:
        """Those of the shops that this series has not finished yet, in their order, each once.

        ``after`` names an earlier job of the same run: only shops that it has done are taken up.
        """
        return self.plan(shop_ids, after=after)[0]

    def plan(self, shop_ids: Sequence[str], *, after: str | None = None) -> tuple[list[str], JobResult]:
        """``pending``, and a result without shops yet that names those left out."""
        wanted = list(dict.fromkeys(shop_ids))
        if self._folder is None:
            return wanted, JobResult(self.job)
        newest = _read(self._folder / f"{self.job}.jsonl").values()
        finished = {result.shop_id for result, series in newest if series == self._series and not result.is_failed}
        ready = set(wanted) if after is None else _done(self._folder / f"{after}.jsonl")
        pending = [shop_id for shop_id in wanted if shop_id in ready and shop_id not in finished]
        earlier = [shop_id for shop_id in wanted if shop_id in finished]
        not_ready = [shop_id for shop_id in wanted if shop_id not in ready and shop_id not in finished]
        return pending, JobResult(self.job, earlier=earlier, not_ready=not_ready)


def for_each(
    shop_ids: Sequence[str],
    work: Callable[[str], Result],
    runs: ShopRuns,
    *,
    failures: tuple[type[Exception], ...],
    nothing: tuple[type[Exception], ...] = (),
    after: str | None = None,
    workers: int = 1,
    report: Callable[[str, Result, float], None] = lambda *_: None,
) -> JobResult:
    """Call ``work`` for each shop that this run has not finished, and record what became of it.

    ``failures`` are the exceptions that a shop's own data can cause; ``nothing`` (and ``NothingToDo``) say that it has nothing
    to work on. Any other exception is the shop's failure, too, with its traceback in the log. ``workers`` shops are worked on
    at once, in threads. ``report`` gets shop, result and seconds of each that is done, in their order.
    """
    pending, job_result = runs.plan(shop_ids, after=after)
    empty: tuple[type[Exception], ...] = (NothingToDo, *nothing)

    def attempt(shop_id: str) -> tuple[ShopResult, Result | None]:
        began, value = time.monotonic(), None
        state: ShopState
        try:
            value = work(shop_id)
            state, reason = "done", ""
        except empty as error:
            state, reason = "nothing to do", _sentence(error)
        except failures as error:
            state, reason = "failed", _sentence(error)
        except Exception as error:  # noqa: BLE001 (one shop's fault must not cost the others; the exit code tells of it)
            _LOG.exception("%s: shop %s failed unexpectedly", runs.job, shop_id)
            state, reason = "unexpected", f"{type(error).__name__}: {_sentence(error)}"
        result = ShopResult(shop_id, state, reason, round(time.monotonic() - began, 1))
        runs.record(result)
        return result, value

    for result, value in _attempts(attempt, pending, workers):
        job_result.shops.append(result)
        if result.state == "done":
            report(result.shop_id, value, result.seconds)  # type: ignore[arg-type]
    return job_result


def add_run_options(parser: ArgumentParser) -> None:
    """``--run`` and ``--after`` of a job that takes shops."""
    parser.add_argument("--run", metavar="ID[@SERIES]", help="keep a ledger; within a series only shops not done are taken up")
    parser.add_argument("--after", metavar="JOB", help="only shops that this job of the same run has done")


def read_run(paths: Paths, run_id: str) -> dict[str, dict[str, ShopResult]]:
    """The newest result of every shop, by job, of one run. Raises BadRunId."""
    _check(run_id)
    files = sorted((paths.runs / run_id).glob("*.jsonl"), key=lambda file: file.stat().st_ctime)
    return {file.stem: {shop_id: result for shop_id, (result, _) in _read(file).items()} for file in files}


def forget_runs(paths: Paths, keep: int = KEPT_RUNS) -> int:
    """Delete the ledgers of all but the ``keep`` runs that were written to last; returns how many went."""
    folders = sorted(paths.runs.glob("*/"), key=lambda folder: folder.stat().st_mtime, reverse=True)
    for folder in folders[keep:]:
        shutil.rmtree(folder)
    return len(folders[keep:])


def _check(run: str) -> None:
    if not _RUN.fullmatch(run):
        raise BadRunId(f"{run!r} is no run id; use letters, digits and _ . ~ : + -, and @<number> for a series")


def _attempts(
    attempt: Callable[[str], tuple[ShopResult, Result | None]], shop_ids: list[str], workers: int
) -> Iterator[tuple[ShopResult, Result | None]]:
    if workers <= 1:
        yield from map(attempt, shop_ids)
        return
    with ThreadPoolExecutor(workers) as pool:
        yield from pool.map(attempt, shop_ids)


def _read(file: Path) -> dict[str, tuple[ShopResult, int]]:
    """The newest result of each shop and its series; a line that a crash cut off counts as not written."""
    newest = {}
    for line in file.read_text(encoding="utf-8").splitlines() if file.exists() else ():
        try:
            values = json.loads(line)
        except json.JSONDecodeError:
            continue
        series = values.pop("series")
        newest[values["shop_id"]] = (ShopResult(**values), series)
    return newest


def _done(file: Path) -> set[str]:
    return {shop_id for shop_id, (result, _) in _read(file).items() if result.state == "done"}


def _sentence(error: Exception) -> str:
    return str(error.args[0] if isinstance(error, LookupError) and error.args else error)
