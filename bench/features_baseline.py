"""The live features as a Python team would write them in Flink: DataStream API, keyed process functions, process mode.

It reads the same JSON lines as the SQL job and writes the same messages (a test compares them). Outcomes and deduplication are
one keyed function, all views another;
windows are kept as one pane a slide, so that state per key is bounded. Two functions are the
fewest that the two keys allow: each more would be one more crossing between the JVM and Python for every event.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
from pyflink.common import Duration, Types, WatermarkStrategy
from pyflink.common.serialization import Encoder
from pyflink.common.time import Time
from pyflink.common.watermark_strategy import TimestampAssigner
from pyflink.datastream import StreamExecutionEnvironment
from pyflink.datastream.connectors.file_system import FileSink, FileSource, OutputFileConfig, StreamFormat
from pyflink.datastream.functions import KeyedProcessFunction, RuntimeContext
from pyflink.datastream.state import MapStateDescriptor, StateTtlConfig, ValueStateDescriptor

from bench.view_state import RunningView, WindowedView, view_state
from flink_jobs.outcomes import DEDUPLICATION_TTL_S
from jishi.features import live_views
from jishi.features.act import acts_of
from jishi.features.entity import entity_of
from jishi.outcomes import Outcome, outcome_without_history
from jishi.settings import PROJECT_ROOT, Settings

Keyed = tuple[str, str, str, dict[str, Any]]


class _Received(TimestampAssigner):
    def extract_timestamp(self, value: dict[str, Any], record_timestamp: int) -> int:
        return int(value["received_at_ms"])


class GoodActs(KeyedProcessFunction):
    """First deliveries that are on time, as acts of each view's entity. Keyed by shop and event."""

    def __init__(self, settings: Settings) -> None:
        self._limits = {
            "allowed_lateness_s": settings.allowed_lateness_s,
            "future_tolerance_s": settings.future_tolerance_s,
        }

    def open(self, runtime_context: RuntimeContext) -> None:
        """Get the state."""
        descriptor = ValueStateDescriptor("is_known", Types.BOOLEAN())
        descriptor.enable_time_to_live(StateTtlConfig.new_builder(Time.seconds(DEDUPLICATION_TTL_S)).build())
        self._is_known = runtime_context.get_state(descriptor)
        self._views = {view: view_state(view, members) for view, members in live_views().items()}

    def process_element(self, value: dict[str, Any], ctx: KeyedProcessFunction.Context) -> Iterator[Keyed]:
        """Acts of one record."""
        outcome = outcome_without_history(
            invalid_reason=value["invalid_reason"],
            occurred_at_ms=value["occurred_at_ms"],
            received_at_ms=value["received_at_ms"],
            **self._limits,
        )
        if outcome not in (Outcome.GOOD, Outcome.LATE):
            return
        if self._is_known.value():
            return
        self._is_known.update(True)
        if outcome is Outcome.LATE:
            return
        for act in acts_of(value):
            for name, view in self._views.items():
                identity = entity_of(view.entity, act) if view.takes(act) else None
                if identity is not None:
                    yield name, act["shop_id"], identity, view.reduced(act)


class ViewValues(KeyedProcessFunction):
    """Messages of all views. Keyed by view, shop and entity."""

    def __init__(self, settings: Settings) -> None:
        self._lateness_ms = settings.allowed_lateness_s * 1000

    def open(self, runtime_context: RuntimeContext) -> None:
        """Get the state."""
        self._views = {view: view_state(view, members) for view, members in live_views().items()}
        self._panes = runtime_context.get_map_state(MapStateDescriptor("panes", Types.LONG(), Types.PICKLED_BYTE_ARRAY()))
        self._running = runtime_context.get_state(ValueStateDescriptor("running", Types.PICKLED_BYTE_ARRAY()))
        self._next_end = runtime_context.get_state(ValueStateDescriptor("next_end", Types.LONG()))

    def process_element(self, value: Keyed, ctx: KeyedProcessFunction.Context) -> Iterator[str]:
        """Put one act where it belongs; a running view tells its new value."""
        name, shop_id, identity, act = value
        view = self._views[name]
        if isinstance(view, RunningView):
            state = view.added(self._running.value(), act)
            self._running.update(state)
            yield _message(name, shop_id, identity, act["received_at_ms"], None, view.values(state))
            return
        end_ms = view.slide_end(act["occurred_at_ms"])
        self._panes.put(end_ms, view.added(self._panes.get(end_ms), act))
        next_end_ms = self._next_end.value()
        if next_end_ms is None or end_ms < next_end_ms:
            self._wait_for(end_ms, ctx)

    def on_timer(self, timestamp: int, ctx: KeyedProcessFunction.OnTimerContext) -> Iterator[str]:
        """Tell the value of the window that ends now and forget the slide that is in no later one.

        The JVM hands over all timers of a new watermark at once, before it learns of those that they set. So one window is
        waited for at a time, or they would come twice and in another order.
        """
        end_ms = timestamp + 1
        if end_ms != self._next_end.value():
            return
        name, shop_id, identity = ctx.get_current_key()
        view = self._views[name]
        assert isinstance(view, WindowedView)
        panes = {at: pane for at, pane in self._panes.items() if at > end_ms - view.size_ms}
        inside = {at: pane for at, pane in panes.items() if at <= end_ms}
        if inside:
            known_ms = end_ms + self._lateness_ms
            yield _message(name, shop_id, identity, known_ms, known_ms + view.slide_ms, view.values(inside, end_ms))
        self._panes.remove(end_ms - view.size_ms + view.slide_ms)
        if any(at > end_ms - view.size_ms + view.slide_ms for at in panes):
            self._wait_for(end_ms + view.slide_ms, ctx)
        else:
            self._next_end.clear()

    def _wait_for(self, end_ms: int, ctx: KeyedProcessFunction.Context) -> None:
        self._next_end.update(end_ms)
        ctx.timer_service().register_event_time_timer(end_ms - 1)


def _message(view: str, shop_id: str, identity: str, as_of_ms: int, until_ms: int | None, values: dict[str, Any]) -> str:
    head = {"view": view, "shop_id": shop_id, "entity_id": identity, "as_of_ms": as_of_ms, "valid_until_ms": until_ms}
    message = orjson.dumps(head | {"values": values}).decode()
    return orjson.dumps({"message_key": f"{view}|{shop_id}|{identity}", "message": message}).decode()


def worker_options() -> dict[str, str]:
    """Options of Flink that let the job's Python workers be of this environment, with this project to import from."""
    return {"python.executable": sys.executable, "python.pythonpath": str(PROJECT_ROOT)}


def python_job(environment: StreamExecutionEnvironment, source: Path, target: Path, settings: Settings) -> None:
    """Declare the job: JSON lines of ``source`` to messages below ``target/features``."""
    files = FileSource.for_record_stream_format(StreamFormat.text_line_format(), str(source)).build()
    # As in the SQL job: nothing on time can come at or before this.
    late = WatermarkStrategy.for_bounded_out_of_orderness(Duration.of_millis(settings.allowed_lateness_s * 1000))
    records = (
        environment.from_source(files, WatermarkStrategy.no_watermarks(), "log")
        .map(orjson.loads)
        .assign_timestamps_and_watermarks(late.with_timestamp_assigner(_Received()))
    )
    acts = records.key_by(lambda row: (row["shop_id"], row["event_id"])).process(GoodActs(settings))
    messages = acts.key_by(lambda act: act[:3]).process(ViewValues(settings), Types.STRING())
    sink = (
        FileSink.for_row_format(str(target / "features"), Encoder.simple_string_encoder())
        .with_output_file_config(OutputFileConfig.builder().with_part_prefix("part").build())
        .build()
    )
    messages.sink_to(sink)
