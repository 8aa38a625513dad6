"""Landing files of many shops → ``bronze/history``, published in one step."""

from __future__ import annotations

import gc
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import suppress
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from imports.bronze import FileTask, LineCounts, land_file, read_lines
from jishi.contract.home_money import ShopMoney, shop_money
from jishi.lake.publishing import Replacement, field_ids, publish, rows_at
from jishi.lake.rows import Rows
from jishi.lake.versions import TableVersion
from jishi.landing import LandingError, Manifest, landed_shops, load_manifest
from jishi.paths import Paths
from jishi.settings import Settings
from jishi.shop_runs import NothingToDo
from jishi.shops import Shop, Shops
from jishi.tables import BRONZE_HISTORY, BRONZE_REPAIRS

LEFTOVER_S = 24 * 3600
Progress = Callable[[int, int], None]


def land_history(
    settings: Settings, shop_ids: Sequence[str] = (), *, processes: int = 2, progress: Progress | None = None
) -> dict[str, LineCounts]:
    """Publish the history of ``shop_ids`` (all that have landing files when empty) and register the shops.

    Replaces the rows of these shops in ``bronze/history``. A repair is of a line by its number: where another line has the
    number now, the repair goes, and what it mended is quarantined again. ``progress`` gets lines done and lines in all.
    Returns counts by shop.
    Raises LandingError when a manifest or a file is not as it should be; nothing is published then.
    """
    paths = Paths.of(settings)
    manifests = _manifests(paths, shop_ids)
    counts = {shop_id: LineCounts() for shop_id in manifests}
    paths.lake.mkdir(parents=True, exist_ok=True)
    _drop_leftovers(paths.lake, time.time())
    with TemporaryDirectory(prefix="history-", dir=paths.lake) as folder:
        numbers = field_ids(settings, BRONZE_HISTORY)
        tasks = [
            task
            for shop_id, manifest in manifests.items()
            for task in file_tasks(
                manifest,
                paths.history / shop_id,
                Path(folder) / shop_id,
                numbers,
                shop_money(paths.fx_rates, shop_id, manifest.shop.currency, manifest.shop.time_zone),
            )
        ]
        total, done = sum(m.lines for m in manifests.values()), 0
        # Heavy files first, so that both processes end together.
        tasks.sort(key=lambda t: t.source.stat().st_size if t.source.exists() else 0, reverse=True)
        for task, of_file in _run(tasks, processes):
            counts[task.shop_id].add(of_file)
            done += of_file.lines
            if progress:
                progress(done, total)
        where = Rows.of(shop_id=sorted(manifests))
        files = sorted(task.target for task in tasks)

        def build(base: TableVersion | None) -> list[Replacement]:
            repairs, outdated = _repairs_that_fit(settings, base, sorted(manifests), tasks)
            for shop_id in manifests:
                counts[shop_id].outdated_repairs = outdated[shop_id]
            kept = [Replacement(BRONZE_REPAIRS, where, repairs)] if outdated else []
            return [Replacement(BRONZE_HISTORY, where, files=files), *kept]

        publish(settings, "imports history", build)
    register(paths, manifests)
    return counts


def history_shops(paths: Paths) -> list[str]:
    """Shops that have landing files. Raises LandingError when there is none."""
    shop_ids = landed_shops(paths.history)
    if not shop_ids:
        raise LandingError(f"no landing files below {paths.history}; write some with journey, events or the simulator")
    return shop_ids


def check_history(paths: Paths, shop_id: str) -> None:
    """Whether a shop's landing files are all there and as their manifest says, so that ``land_history`` can take them.

    Raises LandingError that names the file, and NothingToDo for a registered shop that has no landing files.
    """
    folder = paths.history / shop_id
    if not folder.exists() and shop_id in Shops.load(paths.shops_file).shops:
        raise NothingToDo(f"no landing files in {folder}; a shop may live without history")
    for landed in _manifests(paths, [shop_id])[shop_id].files:
        read_lines(folder / landed.name, landed)


def file_tasks(
    manifest: Manifest, source: Path, target: Path, numbers: dict[str, int], money: ShopMoney | None = None
) -> list[FileTask]:
    """One task a file, with the number of its first line."""
    tasks, first = [], 0
    for landed in manifest.files:
        parquet = target / Path(landed.name).with_suffix(".parquet").name
        tasks.append(FileTask(manifest.shop_id, source / landed.name, landed, first, parquet, numbers, money))
        first += landed.lines
    return tasks


def register(paths: Paths, manifests: dict[str, Manifest]) -> None:
    """Enter the shops of these manifests in the registry; keys of known ones stay."""
    with Shops.edit(paths.shops_file) as shops:
        for shop_id, manifest in manifests.items():
            facts = manifest.shop
            shops.add(Shop(shop_id=shop_id, name=facts.name, time_zone=facts.time_zone, currency=facts.currency))


def _drop_leftovers(lake: Path, now: float) -> None:
    """Remove the Parquet files of imports that were killed; none runs for a day."""
    for folder in lake.glob("history-*"):
        with suppress(FileNotFoundError):  # another import has just ended
            if folder.stat().st_mtime < now - LEFTOVER_S:
                shutil.rmtree(folder, ignore_errors=True)


def _repairs_that_fit(
    settings: Settings, base: TableVersion | None, shop_ids: list[str], tasks: list[FileTask]
) -> tuple[pa.Table, Counter[str]]:
    """Repairs of the shops without those of imported lines that are other lines now, and how many these are by shop."""
    repairs = rows_at(settings, BRONZE_REPAIRS, base, Rows.of(shop_id=shop_ids))
    of_history = [f"history:{shop_id}" for shop_id in shop_ids]
    numbers = repairs.filter(pc.is_in(repairs["collector_id"], pa.array(of_history)))["seq"].to_pylist()
    if not numbers:
        return repairs, Counter()
    repaired = Rows.of(shop_id=shop_ids, seq=sorted(set(numbers)))
    before = _lines(rows_at(settings, BRONZE_HISTORY, base, repaired))
    files = [pq.read_table(task.target, columns=["collector_id", "seq", "line"]) for task in tasks]
    now = _lines(pa.concat_tables([file.filter(pc.is_in(file["seq"], pa.array(numbers))) for file in files]))
    fits, outdated = [], Counter[str]()
    for shop_id, *acknowledgement in zip(*(repairs[c].to_pylist() for c in ("shop_id", "collector_id", "seq")), strict=True):
        key = (acknowledgement[0], acknowledgement[1])
        fits.append(key[0] not in of_history or (key in now and now[key] == before.get(key)))
        outdated[shop_id] += not fits[-1]
    return repairs.filter(pa.array(fits, pa.bool_())), +outdated


def _lines(rows: pa.Table) -> dict[tuple[str, int], str]:
    keys = zip(rows["collector_id"].to_pylist(), rows["seq"].to_pylist(), strict=True)
    return dict(zip(keys, rows["line"].to_pylist(), strict=True))


def _manifests(paths: Paths, shop_ids: Sequence[str]) -> dict[str, Manifest]:
    manifests = {}
    for shop_id in sorted(set(shop_ids)) or history_shops(paths):
        manifest = load_manifest(paths.history / shop_id)
        if manifest.shop_id != shop_id:
            raise LandingError(
                f"{paths.history / shop_id}/manifest.json names shop {manifest.shop_id!r}, its folder {shop_id!r}"
            )
        manifests[shop_id] = manifest
    return manifests


def _run(tasks: list[FileTask], processes: int) -> Iterator[tuple[FileTask, LineCounts]]:
    if processes <= 1 or len(tasks) <= 1:
        yield from ((task, land_file(task)) for task in tasks)
        return
    # spawn: the caller may run threads (a progress bar does), and a fork of a threaded process can hang.
    # Events and rows form no cycles, so the search for them finds nothing; it takes a twentieth of the time.
    spawn = get_context("spawn")
    with ProcessPoolExecutor(min(processes, len(tasks)), mp_context=spawn, initializer=gc.disable) as pool:
        futures = {pool.submit(land_file, task): task for task in tasks}
        try:
            for future in as_completed(futures):
                yield futures[future], future.result()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
