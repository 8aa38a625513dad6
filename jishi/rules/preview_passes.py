"""Passes with which a part of this platform asks serving how drafted rules would work: one shop, one minute, nothing else.

Portal and command line hold no shop's read key (the registry has hashes alone); they serve people whose rights they have
checked.
"""

from __future__ import annotations

import hashlib
import hmac

from jishi.paths import Paths
from jishi.secret_files import secret_of

LASTS_S = 60
PREFIX = "jp_"


class PreviewPasses:
    """Passes signed with a secret of this installation (HMAC-SHA-256)."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    @classmethod
    def of(cls, paths: Paths) -> PreviewPasses:
        """Those of a platform; the secret is made when it is first needed."""
        return cls(secret_of(paths.preview_secret))

    def issue(self, shop_id: str, now_s: float) -> str:
        """A pass for a shop from now on."""
        until_s = int(now_s) + LASTS_S
        return f"{PREFIX}{until_s}_{self._signature(shop_id, until_s)}"

    def opens(self, text: str, shop_id: str, now_s: float) -> bool:
        """Whether a text is a pass for the shop that has not run out."""
        until, _, signature = text.removeprefix(PREFIX).partition("_")
        if not (text.startswith(PREFIX) and until.isascii() and until.isdigit() and len(until) < 20):
            return False
        is_ours = hmac.compare_digest(signature.encode(), self._signature(shop_id, int(until)).encode())
        return is_ours and now_s < int(until) <= now_s + LASTS_S

    def _signature(self, shop_id: str, until_s: int) -> str:
        return hmac.new(self._secret, f"{shop_id}\0{until_s}".encode(), hashlib.sha256).hexdigest()
