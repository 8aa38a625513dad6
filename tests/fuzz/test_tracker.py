"""Generated programs of calls on pages with the tracker: nothing throws, nothing blocks the queue, no good event is lost."""

from __future__ import annotations

import json
import math
import select
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import strategies as st

from tests.fuzz.asgi_collector import AsgiCollector
from tests.fuzz.inputs import ANY_JSON, TEXTS, fuzzed

NODE = shutil.which("node")
HERE = Path(__file__).parent
pytestmark = pytest.mark.skipif(NODE is None, reason="no Node, in which the tracker's pages run")


class NodePages:
    """A Node process that runs one program after the other."""

    def __init__(self) -> None:
        world = HERE.parent / "unit" / "collector" / "page_world.js"
        command = [str(NODE), str(HERE / "tracker_pages.js"), str(world)]
        self._node = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)

    def run(self, program: dict[str, Any]) -> Any:
        """What became of a program."""
        assert self._node.stdin
        assert self._node.stdout
        self._node.stdin.write(json.dumps(program).encode() + b"\n")
        self._node.stdin.flush()
        ready, _, _ = select.select([self._node.stdout], [], [], 60)
        assert ready, "the page hangs"
        return json.loads(self._node.stdout.readline())

    def close(self) -> None:
        """End the process."""
        self._node.kill()
        self._node.wait()


@pytest.fixture(scope="module")
def pages() -> Iterator[NodePages]:
    running = NodePages()
    yield running
    running.close()


@pytest.fixture(scope="module")
def collector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AsgiCollector]:
    running = AsgiCollector(Path(tmp_path_factory.mktemp("collector")))
    yield running
    running.close()


# Names of values that JSON cannot say; tracker_pages.js has them.
ODD = st.sampled_from(
    [
        *(
            "undefined",
            "nan",
            "infinity",
            "symbol",
            "bigint",
            "small",
            "boxed",
            "text",
            "cyclic",
            "map",
            "date",
            "call",
            "bare",
        ),
        *("regexp", "error", "bytes", "getter", "symbols", "thrown", "nothing", "json", "none", "primitive", "proxy", "gone"),
        *("frozen", "deep", "level", "sparse", "key"),
    ]
).map(lambda name: {"$odd": name})


def for_node(value: Any) -> Any:
    """A value of Python's json as the page gets it: NaN and infinity by their names."""
    if isinstance(value, float) and not math.isfinite(value):
        return {"$odd": "nan" if math.isnan(value) else "infinity"}
    if isinstance(value, dict):
        return {name: for_node(entry) for name, entry in value.items()}
    return [for_node(entry) for entry in value] if isinstance(value, list) else value


VALUES = (
    ODD | ANY_JSON.map(for_node) | st.fixed_dictionaries({"item_id": st.just("i") | ODD}, optional={"x": ODD, "share_id": ODD})
)
GIVEN = st.lists(VALUES, max_size=2)


def calling(*names: str) -> st.SearchStrategy[list[Any]]:
    return st.builds(lambda name, given: [name, *given], st.sampled_from(names), GIVEN)


NUMBER = st.sampled_from([0, -1, 1, 2.5, 3, 1e300, "5", None]) | ODD
CALLS = st.one_of(
    calling("view", "search", "cart", "uncart", "checkout", "order", "share", "page", "identify"),
    st.builds(lambda given: ["track", "item_viewed", *given], GIVEN),
    calling("track", "flush", "pending", "anonymousId"),
    st.sampled_from([["track", "bad", {}], ["track", "bad"], ["view", {"item_id": "i"}], ["order", {"order_id": "o"}]]),
    st.sampled_from(
        [["next page"], ["full"], ["turn"], ["turn"], ["fire", "pagehide"], ["fire", "pageshow"], ["fire", "online"]]
    ),
    st.builds(
        lambda changes: ["configure", changes], st.dictionaries(st.sampled_from(["batch", "waitMs", "sessionMs"]), NUMBER) | ODD
    ),
    st.builds(lambda level: ["consent", level], st.sampled_from(["granted", "anonymous", "denied", "no", ""]) | ODD),
)
ANSWERS = st.one_of(
    st.sampled_from([{"status": 500}, {"status": 401}, {"status": 403}, {"hangs": True}, {"throws": True}, {"status": 408}]),
    st.builds(
        lambda status, after: {"status": status, "retryAfter": after},
        st.sampled_from([429, 503]),
        st.sampled_from(["1", "0", "-5", "2592000", "1e99", "Infinity", "Wed, 21 Oct 2026 07:28:00 GMT", "", "x"]),
    ),
    st.builds(
        lambda content: {"status": 403, "content": content},
        st.sampled_from(
            [None, {}, {"error": None}, {"error": "x"}, [], "text", 1, {"error": {}}, {"error": {"code": "unknown_key"}}]
        ),
    ),
)
STORED = st.dictionaries(
    st.integers(0, 3).map("jishi.a.q.{}".format)
    | st.integers(0, 3).map("jishi.q.{}".format)
    | st.sampled_from(["jishi.a.session", "jishi.a.user_id", "jishi.a.consent", "jishi.consent", "jishi.a.anonymous_id"]),
    TEXTS
    | ANY_JSON.map(json.dumps)
    | st.dictionaries(
        st.sampled_from(["event_id", "shop_id", "occurred_at", "type", "sent_at", "properties"]),
        ANY_JSON | st.just("a"),
        min_size=3,
    ).map(json.dumps),
    max_size=4,
)


@fuzzed(
    "tracker",
    calls=st.lists(CALLS, max_size=14),
    answers=st.lists(ANSWERS, max_size=4),
    local=st.fixed_dictionaries({}, optional={"isFull": st.booleans(), "isForbidden": st.booleans(), "start": STORED}),
    session=st.fixed_dictionaries({}, optional={"isFull": st.booleans(), "isForbidden": st.booleans()}),
    title=TEXTS,
    referrer=TEXTS,
    search=st.sampled_from(
        ["", "?jishi_share=s-1", "?jishi_share=%ED%A0%BD&utm_source=%00", "?%", "?utm_source=" + "x" * 3000]
    ),
)
def test_no_program_of_calls_throws_or_blocks(
    pages: NodePages, collector: AsgiCollector, calls: list[Any], answers: list[Any], **world: Any
) -> None:
    outcome = pages.run({"calls": calls, "answers": answers, **world})
    assert outcome["thrown"] == []
    assert outcome["unhandled"] == []
    assert set(outcome["pending"]) <= {0}, "the queue is blocked"
    assert all(isinstance(ms, int | float) and 0 <= ms < 2**31 for ms in outcome["delays"]), outcome["delays"]
    if all(call[0] != "consent" for call in calls):
        heard = {event_id for event_id in outcome["taken"] + outcome["refused"] if isinstance(event_id, str)}
        assert set(outcome["ids"]) <= heard, "an event is lost"
    for body in outcome["bodies"]:
        answer = collector.post(body.encode(), "track")
        if answer.status == 403:
            assert answer.json()["error"]["code"] == "foreign_shop"  # what an odd storage held
            continue
        assert answer.status == 200, (answer.content, body)
        assert len(answer.json()["results"]) == answer.json()["accepted"] == len(json.loads(body))
