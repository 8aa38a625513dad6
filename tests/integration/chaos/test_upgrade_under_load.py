"""``jishi upgrade`` while intake goes on: killed, run again, taken back and run once more, and nothing acknowledged is lost."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx
import pytest

from chaos.kills import prepare, wait_for_lists
from chaos.ledger import Account, SentLedger
from chaos.prove import prove
from chaos.settle import settle
from chaos.shopper import SHOP
from chaos.stage import NAMES, Stage, make_stage
from chaos.traffic import Traffic
from jishi import feast_import
from jishi.lake.query import open_lake
from jishi.lake.reading import open_version
from jishi.paths import Paths
from jishi.settings import PROJECT_ROOT, get_settings
from jishi.tables import BRONZE_HISTORY
from ops.formats import FORMATS, Noted
from ops.jars import fetch_jars
from ops.supervisor import states
from tests.lake_in_folders import old_lake

pytestmark = [pytest.mark.integration, pytest.mark.survive]
ALLOWED_LATENESS_S = 5


def command(*options: str) -> subprocess.Popen[str]:
    line = [sys.executable, "-m", "ops.cli", "upgrade", *options]
    return subprocess.Popen(
        line, cwd=PROJECT_ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    )


def run(*options: str) -> str:
    process = command(*options)
    out = process.communicate(timeout=400)[0]
    assert process.returncode == 0, out
    return out


class Answers:
    """Asks serving for a list 20 times a second; ``bad`` is what was no answer."""

    def __init__(self, stage: Stage) -> None:
        serving = f"http://{stage.settings.host}:{stage.settings.serving_port}"
        self._url = f"{serving}/v1/shops/{SHOP}/recommendations?user_id=u1&limit=4"
        self._headers = {"Authorization": f"Bearer {stage.read_key}"}
        self.good, self.bad = 0, list[str]()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        while not self._stop.wait(0.05):
            try:
                httpx.get(self._url, headers=self._headers, timeout=60).raise_for_status()
                self.good += 1
            except httpx.HTTPError as error:
                self.bad.append(repr(error))

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()


def history_rows(stage: Stage) -> int:
    version = open_version(stage.settings)
    if not version.has(BRONZE_HISTORY.name):
        return 0
    with open_lake(version) as lake:
        [[count]] = lake.execute("select count(*) from bronze_history").fetchall()
    return int(count)


def older(stage: Stage) -> None:
    """Make the state that of older code: bronze in folders, and nothing that numbers formats."""
    old_lake(stage.paths.var, has_live=False)
    stage.paths.formats.unlink()
    assert Noted.of(stage.settings).formats["lake"] == 1


def test_an_upgrade_beside_intake_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fetch_jars(Paths.of(get_settings()))
    monkeypatch.setenv("JISHI_ALLOWED_LATENESS_S", str(ALLOWED_LATENESS_S))
    monkeypatch.setenv("JISHI_PARTS", ",".join(sorted(NAMES | {"serving"})))
    before = dict(os.environ)  # the stage sets more
    stage = make_stage(tmp_path / "var", PROJECT_ROOT / ".envs", "sqlite", serving_workers=2)
    feast_import.prepare()
    ledger_file = tmp_path / "ledger.jsonl"
    ledger = SentLedger(ledger_file)
    try:
        prepare(stage.settings)
        stage.up(print)
        wait_for_lists(stage)
        began = time.time()
        traffic = Traffic(stage.url, stage.key, ledger, events_per_s=40, seed=7)
        traffic.start()
        try:
            answers, workers = Answers(stage), set(stage.serving_workers())
            try:
                assert "keeps" in run()  # code that changes nothing on disk: the stream goes on from a savepoint
            finally:
                answers.stop()
            assert answers.bad == []
            assert answers.good > 100
            assert len(workers) == 2
            assert not workers & set(stage.serving_workers())
            older(stage)
            killed = command()
            while not (doing := Noted.of(stage.settings).doing) and killed.poll() is None:
                time.sleep(0.02)
            assert doing is not None, killed.communicate()[0]
            os.killpg(killed.pid, signal.SIGKILL)
            killed.communicate()
            assert history_rows(stage) in (0, 3)
            out = run()
            assert "lake 1 to 2" in out
            assert (history_rows(stage), Noted.of(stage.settings).formats) == (3, FORMATS)

            out = run("--rollback")
            assert "taken back" in out
            assert history_rows(stage) == 0
            running = {name for name, info in states(stage.paths).items() if info["statename"] == "RUNNING"}
            assert running == {"kafka", "collector", "forwarder"}
            acknowledged = len(Account.of(ledger_file).acknowledged)
            while len(Account.of(ledger_file).acknowledged) < acknowledged + 50:  # intake goes on
                time.sleep(0.1)
            run()
            assert history_rows(stage) == 3
        finally:
            traffic.stop()
        settle(stage, began=began, timeout_s=240)
        proof = prove(stage, ledger_file, tmp_path / "check")
        assert [(finding.what, finding.wrong[:3]) for finding in proof.findings if not finding.is_fine] == []
        assert len(Account.of(ledger_file).acknowledged) > 1_000
        assert sum(proof.by_view.values()) > 100
    finally:
        ledger.close()
        stage.down()
        for name in os.environ.keys() - before.keys():
            del os.environ[name]
        os.environ.update(before)
