"""``python -m serving``: the recommendation API on the settings' host and port, in the foreground."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import sys
import threading
import time
from functools import partial

import uvicorn

from jishi.json_logs import log_as_json
from jishi.paths import Paths
from jishi.settings import Settings, get_settings
from jishi.tracing import open_tracer
from serving.api import make_app
from serving.engine import Engine
from serving.list_protocol import server_config
from serving.readiness import readiness
from serving.storefront.doors import Storefronts
from serving.traces import TracedEngine
from serving.worker_metrics import WorkerMetrics
from serving.workers import READY_S, Worker, left_workers, listen, run_workers, take_over

log = logging.getLogger("serving")


def main() -> int:
    """Serve until SIGTERM, in as many processes as the settings say."""
    log_as_json("serving")
    settings = get_settings()
    paths, is_shared = Paths.of(settings), settings.serving_workers > 1
    note = paths.run / "serving-workers.json"
    left = left_workers(note) if is_shared else []
    try:
        listener = listen(settings.host, settings.serving_port, is_shared=is_shared, beside=bool(left))
    except OSError as error:
        place = f"{settings.host}:{settings.serving_port}"
        log.error("cannot listen on %s: %s; stop what uses the port or set JISHI_SERVING_PORT", place, error.strerror)
        return 1
    log.info("http://%s:%d/docs", settings.host, settings.serving_port)
    count = settings.serving_workers
    if not is_shared:
        return _serve(settings, listener, None, Worker(0, others_answer=False, tell_ready=lambda: None))
    return run_workers(count, partial(_serve, settings, listener, WorkerMetrics(count)), note=note, left=left)


def _serve(settings: Settings, listener: socket.socket, workers: WorkerMetrics | None, worker: Worker) -> int:
    """Serve in this process, one of ``workers``. A thread that dies takes it with it: whoever watches it starts a whole one."""
    died, log_end = threading.Event(), threading.excepthook

    def die(args: threading.ExceptHookArgs) -> None:
        log_end(args)
        died.set()
        os.kill(os.getpid(), signal.SIGTERM)

    threading.excepthook = die
    # uvicorn ends by raising the signal that stopped it once more; a stop that was asked for is no failure.
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: None)
    tracer, paths = open_tracer(settings, "serving"), Paths.of(settings)
    engine = Engine.of(settings, paths) if tracer is None else TracedEngine.with_tracer(settings, paths, tracer)

    async def open_door() -> None:
        """Wait, while others answer, until this process can; called before it accepts."""
        deadline = time.monotonic() + READY_S
        while worker.others_answer and not (server.should_exit or readiness(engine)[0] or time.monotonic() > deadline):
            await asyncio.sleep(0.1)
        loop = asyncio.get_running_loop()
        if worker.others_answer and workers is not None:
            loop.call_later(0.5, take_over, listener)
        loop.call_later(1.0, worker.tell_ready)  # what waits at a predecessor's socket is accepted until then

    app = make_app(engine, Storefronts.of(settings), open_door=open_door)
    if workers is not None:
        workers.number, engine.metrics.workers = worker.number, workers
        threading.Thread(target=workers.answer, args=(engine.metrics.of_process,), name="metrics", daemon=True).start()
    server = uvicorn.Server(server_config(app, log_config=None))
    server.run(sockets=[listener])
    return 1 if died.is_set() else 0


if __name__ == "__main__":
    sys.exit(main())
