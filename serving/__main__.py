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
    serve = partial(_serve, settings, listener)
    return serve() if settings.serving_workers == 1 else run_workers(settings.serving_workers, serve)


def _serve(settings: Settings, listener: socket.socket) -> int:
    """Serve in this process. A thread that dies takes the process with it: the supervisor starts a whole one."""
    died = threading.Event()

    def die(args: threading.ExceptHookArgs) -> None:
        traceback.print_exception(args.exc_type, args.exc_value, args.exc_traceback)
        died.set()
        os.kill(os.getpid(), signal.SIGTERM)

    threading.excepthook = die
    # uvicorn ends by raising the signal that stopped it once more; a stop that was asked for is no failure.
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: None)
    app = make_app(Engine.of(settings, Paths.of(settings)), Storefronts.of(settings))
    # Who is asking is ours to say (JISHI_TRUSTED_PROXIES): uvicorn would believe every neighbour's X-Forwarded-For.
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False, proxy_headers=False))
    server.run(sockets=[listener])
    return 1 if died.is_set() else 0


if __name__ == "__main__":
    sys.exit(main())
