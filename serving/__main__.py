"""``python -m serving``: the recommendation API on the settings' host and port, in the foreground."""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
import traceback
from functools import partial

import uvicorn

from jishi.paths import Paths
from jishi.settings import Settings, get_settings
from serving.api import make_app
from serving.engine import Engine
from serving.storefront.doors import Storefronts
from serving.worker_metrics import WorkerMetrics
from serving.workers import listen, run_workers


def main() -> int:
    """Serve until SIGTERM, in as many processes as the settings say."""
    settings = get_settings()
    try:
        listener = listen(settings.host, settings.serving_port)
    except OSError as error:
        print(f"serving: cannot listen on {settings.host}:{settings.serving_port}: {error}", file=sys.stderr)
        print("stop what uses the port or set JISHI_SERVING_PORT", file=sys.stderr)
        return 1
    print(f"serving: http://{settings.host}:{settings.serving_port}/docs", flush=True)
    count = settings.serving_workers
    if count == 1:
        return _serve(settings, listener)
    return run_workers(count, partial(_serve, settings, listener, WorkerMetrics(count)))


def _serve(settings: Settings, listener: socket.socket, workers: WorkerMetrics | None = None, number: int = 0) -> int:
    """Serve in this process, one of ``workers``. A thread that dies takes it with it: the supervisor starts a whole one."""
    died = threading.Event()

    def die(args: threading.ExceptHookArgs) -> None:
        traceback.print_exception(args.exc_type, args.exc_value, args.exc_traceback)
        died.set()
        os.kill(os.getpid(), signal.SIGTERM)

    threading.excepthook = die
    # uvicorn ends by raising the signal that stopped it once more; a stop that was asked for is no failure.
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: None)
    engine = Engine.of(settings, Paths.of(settings))
    app = make_app(engine, Storefronts.of(settings))
    if workers is not None:
        workers.number, engine.metrics.workers = number, workers
        threading.Thread(target=workers.answer, args=(engine.metrics.of_process,), name="metrics", daemon=True).start()
    # Who is asking is ours to say (JISHI_TRUSTED_PROXIES): uvicorn would believe every neighbour's X-Forwarded-For.
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False, proxy_headers=False))
    server.run(sockets=[listener])
    return 1 if died.is_set() else 0


if __name__ == "__main__":
    sys.exit(main())
