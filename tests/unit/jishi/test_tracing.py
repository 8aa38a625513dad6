"""Where traces are asked for, an event's trace has one id in every process; where not, nothing is loaded."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from jishi.settings import Settings
from jishi.tracing import Tracer, TracesSettingWrong, context_in, headers_of, open_tracer

NOON_NS = 1_790_000_000_000_000_000


def tracer_of(var: Path, part: str = "collector", **changed: Any) -> Tracer:
    settings = Settings(var=var, _env_file=None, **{"traces": "file", "traces_rate": 1.0, **changed})  # type: ignore[call-arg,arg-type]
    tracer = open_tracer(settings, part)
    assert tracer is not None
    return tracer


def spans(var: Path) -> list[dict[str, Any]]:
    files = sorted((var / "log" / "traces").glob("*.jsonl"))
    return [json.loads(line) for file in files for line in file.read_text().splitlines()]


def test_off_is_nothing() -> None:
    assert open_tracer(Settings(_env_file=None), "collector") is None  # type: ignore[call-arg]
    program = "import sys, collector.intake, collector.forward, serving.traces; print('opentelemetry.sdk' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout == "False\n"


def test_two_processes_share_the_trace_of_an_event_through_kafkas_headers(tmp_path: Path) -> None:
    collector, forwarder = tracer_of(tmp_path), tracer_of(tmp_path, "forwarder")
    root, same = collector.of_event("a", "e1"), forwarder.of_event("a", "e1")
    assert root is not None
    assert same is not None
    collector.root(root, "accept", NOON_NS, NOON_NS + 5_000_000, {"jishi.seq": 7})
    forwarding = forwarder.start(same, "forward", NOON_NS + 6_000_000, {})
    [(name, value)] = headers_of(forwarding.get_span_context())
    assert (name, isinstance(value, bytes)) == ("traceparent", True)
    read = context_in([("other", b"x"), (name, value)])
    assert read is not None
    forwarder.start(read, "hear", NOON_NS, {}).end()
    forwarding.end()
    collector.close()
    forwarder.close()
    by_name = {span["name"]: span for span in spans(tmp_path)}
    assert by_name.keys() == {"accept", "forward", "hear"}
    assert len({span["context"]["trace_id"] for span in by_name.values()}) == 1
    assert by_name["accept"]["parent_id"] is None
    assert by_name["forward"]["parent_id"] == by_name["accept"]["context"]["span_id"]
    assert by_name["hear"]["parent_id"] == by_name["forward"]["context"]["span_id"]
    assert by_name["accept"]["resource"]["attributes"]["service.name"] == "jishi-collector"
    assert by_name["accept"]["attributes"] == {"jishi.seq": 7}
    other = collector.of_event("b", "e1")
    assert other is not None
    assert other.trace_id != root.trace_id, "another shop's event of the same id is another one"


def test_the_sampled_share_is_the_same_in_every_process(tmp_path: Path) -> None:
    tracers = [tracer_of(tmp_path, part, traces_rate=0.1) for part in ("collector", "forwarder", "serving")]
    chosen = [{n for n in range(5_000) if tracer.of_event("a", f"e{n}") is not None} for tracer in tracers]
    assert chosen[0] == chosen[1] == chosen[2]
    assert 400 < len(chosen[0]) < 600
    answers = [uuid4().hex for _ in range(5_000)]
    sampled = [request_id for request_id in answers if tracers[0].of_answer(request_id) is not None]
    assert 400 < len(sampled) < 600
    assert sampled == [request_id for request_id in answers if tracers[1].of_answer(request_id) is not None]
    assert tracer_of(tmp_path, traces_rate=0.0).of_event("a", "e1") is None


@pytest.mark.parametrize(
    "headers",
    [
        None,
        [],
        [("traceparent", None)],
        [("traceparent", b"00-1-2-01")],
        [("traceparent", b"00-" + b"z" * 32 + b"-" + b"0" * 16 + b"-01")],
        [("traceparent", b"00-" + b"a" * 32 + b"-" + b"b" * 16 + b"-00")],
    ],
)
def test_headers_of_no_sampled_trace_are_none(headers: Any) -> None:
    assert context_in(headers) is None


def test_a_wrong_setting_is_refused_with_the_fix() -> None:
    with pytest.raises(TracesSettingWrong, match=r"JISHI_TRACES is 'yes'; write file, or the URL"):
        open_tracer(Settings(traces="yes", _env_file=None), "collector")  # type: ignore[call-arg]
