"""No log line and no metric holds a value of an event, a person or a key, whatever goes wrong."""

from __future__ import annotations

import io
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from collector import intake
from jishi.json_logs import JsonLines

Viewed = Callable[..., dict[str, Any]]
SECRETS = ("ada@lovelace.example", "13800138000", "device-4711", "Ringstraße 7")


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """Everything that the process logs, as the collector formats it, with the loggers of a process of its own."""
    for name in ("uvicorn", "uvicorn.error"):  # another test may have started a server here, which keeps its lines to itself
        monkeypatch.setattr(logging.getLogger(name), "propagate", True)
        monkeypatch.setattr(logging.getLogger(name), "handlers", [])
        logging.getLogger(name).setLevel(logging.NOTSET)
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    handler.setFormatter(JsonLines("collector"))
    root = logging.getLogger()
    level = root.level
    logging.getLogger("httpx").setLevel(logging.WARNING)  # the test's own client
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield out
    root.removeHandler(handler)
    root.setLevel(level)


def personal(viewed: Viewed, event_id: str, **changes: Any) -> dict[str, Any]:
    facts = {"user_id": SECRETS[0], "anonymous_id": SECRETS[2], "context": {"city": SECRETS[3]}, "phone": SECRETS[1]}
    return viewed(event_id, **(facts | changes))


def test_nothing_personal_is_logged(world: Any, viewed: Viewed, lines: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    logging.getLogger("collector").info("the log is listened to")
    world.post(
        [personal(viewed, "good"), personal(viewed, "good"), personal(viewed, "bad", properties={"item_id": SECRETS[1]})]
    )
    world.post([personal(viewed, "when", occurred_at=SECRETS[1]), personal(viewed, "what", type=SECRETS[0]), SECRETS[0]])
    world.post([personal(viewed, "foreign", shop_id="b")])
    world.client.post("/v1/events", content=SECRETS[0], headers={"Authorization": f"Bearer {world.keys['write']}"})
    world.client.post("/v1/events", json=[], headers={"Authorization": f"Bearer {SECRETS[0]}"})
    world.client.post("/v1/track", params={"key": SECRETS[0]}, json=[])
    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", lambda descriptor: (_ for _ in ()).throw(OSError(5, "Input/output error")))
        assert world.post([personal(viewed, "disk")]).status_code == 503

    def stumble(events: Any, **facts: Any) -> Any:
        raise ValueError(f"cannot digest {events}")

    with monkeypatch.context() as patch:
        patch.setattr(intake.batch, "check_batch", stumble)
        assert world.post([personal(viewed, "fault")]).status_code == 500
        try:
            stumble([SECRETS[0]])
        except ValueError:
            logging.getLogger("uvicorn.error").exception("Exception in ASGI application")
    output = lines.getvalue()
    assert "the log is listened to" in output
    assert "events are refused with 503" in output
    assert '"error": "ValueError"' in output
    assert "test_log_lines.py" in output, "the place of a fault is named"
    shown = output + world.client.get("/metrics").text
    for secret in (*SECRETS, *world.keys.values()):
        assert secret not in shown
