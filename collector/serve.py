"""Run the intake: one process, one event loop, one thread that syncs."""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
import time
from types import FrameType

import uvicorn

from collector.app import create_app
from collector.catalogue_store import load_catalogue
from collector.intake import Intake
from collector.keys import KeyRing
from collector.sizes import check_collector
from collector.wal.writer import WalWriter
from jishi.http_connection import WholeAnswers
from jishi.paths import Paths
from jishi.settings import Settings
from jishi.tracing import open_tracer

log = logging.getLogger("collector")


class CollectorPortTaken(RuntimeError):
    """The collector's port cannot be used; the message names the setting."""


def serve(settings: Settings, paths: Paths) -> None:
    """Serve until SIGTERM; what was taken by then is written and answered. Raises PortTaken, SizesDisagree,
    WalLocked or WalCorrupt."""
    check_collector(settings.collector_max_bytes)
    listener = _listen(settings.host, settings.collector_port)
    with listener:
        wal, tracer = WalWriter(paths.wal, settings.wal_segment_bytes), open_tracer(settings, "collector")
        try:
            keys = KeyRing(paths.shops_file)
            intake = Intake(
                wal,
                keys,
                settings,
                clock_ms=lambda: time.time_ns() // 1_000_000,
                clock_s=time.monotonic,
                catalogue=load_catalogue(paths.wal, settings),
                tracer=tracer,
            )
            config = uvicorn.Config(
                create_app(intake),
                http=WholeAnswers,
                lifespan="on",
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_graceful_shutdown=10,
                timeout_keep_alive=30,  # longer than clients keep theirs: the server is not the one that hangs up
            )
            log.info("collector %s listens on http://%s:%d", wal.collector_id, settings.host, settings.collector_port)
            log.info("write-ahead log %s goes on with seq %d", paths.wal, wal.end.seq)
            signal.signal(signal.SIGTERM, _leave)  # uvicorn raises the signal again when it is done
            uvicorn.Server(config).run(sockets=[listener])
        finally:
            wal.close()
            if tracer is not None:
                tracer.close()


def _leave(number: int, frame: FrameType | None) -> None:
    sys.exit(0)


def _listen(host: str, port: int) -> socket.socket:
    try:
        return socket.create_server((host, port), backlog=2048)
    except OSError as error:
        reason = os.strerror(error.errno or 0)
        raise CollectorPortTaken(
            f"cannot listen on {host}:{port} ({reason}); set JISHI_COLLECTOR_PORT to a free port"
        ) from None
