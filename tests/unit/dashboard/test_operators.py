"""Operators are told of a problem once, by every channel, and again while it stays."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from dashboard.delivery import Destination, Message, NotDelivered
from dashboard.operators import AGAIN_AFTER, BadOperator, notify, receivers_of
from jishi.paths import Paths
from jishi.settings import Settings

NOW = datetime(2026, 11, 21, 3, tzinfo=UTC)
MESSAGE = Message("daily: silver failed", ("partition 2 is behind",), "https://airflow.example/log", "Log")


def platform(tmp_path: Path, operators: str) -> Settings:
    return Settings(var=tmp_path, operators=operators, _env_file=None)  # type: ignore[call-arg]


def entries(settings: Settings) -> list[dict[str, object]]:
    return [json.loads(line) for line in Paths.of(settings).operator_alerts.read_text().splitlines()]


def test_every_receiver_gets_it_and_one_that_refuses_is_named(tmp_path: Path) -> None:
    settings, got = platform(tmp_path, "ops@example.org, slack=https://hooks.example.org/secret"), []

    def send(settings: Settings, destination: Destination, message: Message) -> None:
        if destination.kind == "email":
            raise NotDelivered("no mail server is set")
        got.append((destination.address, message))

    notified = notify(settings, "daily.silver", MESSAGE, NOW, send)
    assert (notified.sent, notified.failed) == (["hooks.example.org"], {"ops@example.org": "no mail server is set"})
    assert got == [("https://hooks.example.org/secret", MESSAGE)]
    [entry] = entries(settings)
    assert (entry["subject"], entry["text"], entry["sent"]) == (
        "daily.silver",
        ["partition 2 is behind"],
        ["hooks.example.org"],
    )
    assert "secret" not in json.dumps(entry)


def test_while_a_problem_stays_it_is_told_again_after_a_pause(tmp_path: Path) -> None:
    settings = platform(tmp_path, "")
    notified = [
        notify(settings, subject, MESSAGE, NOW + after).is_repetition
        for subject, after in (
            ("a", timedelta(0)),
            ("a", AGAIN_AFTER - timedelta(seconds=1)),
            ("b", timedelta(0)),
            ("a", AGAIN_AFTER),
        )
    ]
    assert notified == [False, True, False, False]
    assert [entry["subject"] for entry in entries(settings)] == ["a", "b", "a"]


def test_what_nobody_got_is_tried_at_the_next_occasion(tmp_path: Path) -> None:
    settings, attempts = platform(tmp_path, "ops@example.org"), []

    def send(settings: Settings, destination: Destination, message: Message) -> None:
        attempts.append(destination.address)
        if len(attempts) == 1:
            raise NotDelivered("no answer")

    notify(settings, "a", MESSAGE, NOW, send)
    assert notify(settings, "a", MESSAGE, NOW + timedelta(minutes=10), send).sent == ["ops@example.org"]


@pytest.mark.parametrize("setting", ["nobody", "pager=https://x", "slack="])
def test_a_receiver_that_is_none_is_refused_without_its_address(setting: str) -> None:
    with pytest.raises(BadOperator, match="JISHI_OPERATORS"):
        receivers_of(setting)
