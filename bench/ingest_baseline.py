"""What a shop would write first: FastAPI and Pydantic, one event a request, on disk before the answer.

``python -m bench.ingest_baseline PORT FILE``. Envelope and properties are typed models; the line is appended and synced.
"""

from __future__ import annotations

import os
import sys
import threading
from datetime import datetime
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel


class Properties(BaseModel):
    """Properties of a viewed item."""

    item_id: str
    category: str | None = None
    unit_price_minor: int | None = None


class BaselineEvent(BaseModel):
    """One event."""

    event_id: str
    shop_id: str
    type: str
    occurred_at: datetime
    user_id: str | None = None
    anonymous_id: str | None = None
    session_id: str | None = None
    context: dict[str, Any] = {}
    properties: Properties


def create_baseline_app(file: Path) -> FastAPI:
    """The application; it appends to ``file``."""
    app = FastAPI()
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    lock = threading.Lock()

    @app.post("/events")
    def post(event: BaselineEvent) -> dict[str, str]:
        line = event.model_dump_json().encode() + b"\n"
        with lock:
            os.write(descriptor, line)
            os.fsync(descriptor)
        return {"event_id": event.event_id, "status": "accepted"}

    return app


if __name__ == "__main__":
    uvicorn.run(
        create_baseline_app(Path(sys.argv[2])), host="127.0.0.1", port=int(sys.argv[1]), log_level="error", access_log=False
    )
