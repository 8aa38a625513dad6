"""Asks serving how drafted rules would work, for people of this platform whose rights are checked already."""

from __future__ import annotations

import time
from typing import Any

import httpx

from jishi.paths import Paths
from jishi.rules.preview_passes import PreviewPasses
from jishi.settings import Settings

_WAIT_S = 10


class NoPreview(RuntimeError):
    """Serving does not answer, or not with a preview; ``code`` is its own (catching_up, bad_parameter …) or ``no_answer``."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class PreviewClient:
    """A client of the serving process of one platform; ``transport`` answers in its place."""

    def __init__(self, settings: Settings, transport: httpx.BaseTransport | None = None) -> None:
        self._address = settings.serving_address
        self._paths = Paths.of(settings)
        self._client = httpx.Client(base_url=self._address, timeout=_WAIT_S, transport=transport)

    def preview(self, shop_id: str, draft: dict[str, Any]) -> dict[str, Any]:
        """The answer to a draft (``serving.preview.DraftIn``), as serving gave it. Raises NoPreview."""
        text = PreviewPasses.of(self._paths).issue(shop_id, time.time())  # serving's clock is this machine's
        headers = {"Authorization": f"Bearer {text}"}
        try:
            answer = self._client.post(f"/v1/shops/{shop_id}/rules/preview", json=draft, headers=headers)
            payload = answer.json()
        except (httpx.HTTPError, ValueError) as error:
            raise NoPreview("no_answer", f"serving does not answer on {self._address}: {error}") from None
        if answer.status_code != httpx.codes.OK:
            body = payload.get("error", {}) if isinstance(payload, dict) else {}
            raise NoPreview(str(body.get("code")), str(body.get("message", f"serving answered {answer.status_code}")))
        return dict(payload)
