"""A log line is JSON, tells where and what kind of error, and quotes nothing that an error stumbled over."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from typing import Any

import pytest

from jishi.json_logs import JsonLines, masked

PROGRAM = """
import logging, sys, threading, warnings
from jishi.json_logs import log_as_json

log_as_json("serving")
logging.getLogger("serving.watcher").info("release %s of %s", "v1", "a shop")
warnings.warn("old")
def stumble():
    raise ValueError("ada@lovelace.example")
thread = threading.Thread(target=stumble, name="watcher")
thread.start()
thread.join()
stumble()
"""


def line_of(message: str, *arguments: Any, **more: Any) -> dict[str, Any]:
    record = logging.LogRecord("collector", logging.WARNING, __file__, 1, message, arguments, None, **more)
    content: dict[str, Any] = json.loads(JsonLines("forwarder").format(record))
    return content


def test_a_line_says_when_who_and_what() -> None:
    line = line_of('%s is "away"\nfor now', "Kafka 商店")
    assert line.keys() == {"at", "level", "part", "pid", "logger", "message"}
    assert (line["level"], line["part"], line["logger"]) == ("warning", "forwarder", "collector")
    assert line["message"] == 'Kafka 商店 is "away"\nfor now'
    assert line["at"].endswith("Z")
    assert len(line["at"]) == len("2026-12-01T09:30:00.123Z")


def test_a_process_logs_what_ends_it_and_its_threads_without_their_words() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False, timeout=60)
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    info, warning, thread, end = lines
    assert (info["level"], info["logger"], info["message"]) == ("info", "serving.watcher", "release v1 of a shop")
    assert "UserWarning: old" in warning["message"]
    assert (thread["error"], "watcher" in thread["message"]) == ("ValueError", True)
    assert (end["level"], end["error"], end["places"][-1]) == ("critical", "ValueError", "<string>:9 stumble")
    assert "ada" not in done.stderr
    assert (done.returncode, done.stdout) == (1, "")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("no row of ada@lovelace.example.", "no row of <e-mail>."),
        ("u:13800138000 and +4915112345678", "u:<telephone> and <telephone>"),
        ("seq 1790000000000 at 127.0.0.1:18080, 12345678901 bytes", "seq 1790000000000 at 127.0.0.1:18080, 12345678901 bytes"),
        ("checkpoint 9f13800138000ab", "checkpoint 9f13800138000ab"),
    ],
)
def test_addresses_and_numbers_of_persons_are_taken_out(text: str, shown: str) -> None:
    assert masked(text) == shown
    assert line_of("%s", text)["message"] == shown
