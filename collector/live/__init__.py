"""The live page of a shop, for who connects a storefront: its last events with outcome, reason and fix."""

from __future__ import annotations

from pathlib import Path

from collector.live.recent_events import RecentEvents

LIVE_FILES = sorted(file for file in Path(__file__).parent.iterdir() if file.suffix in {".html", ".js", ".css"})
# Nothing from elsewhere, nothing inline: the page works without internet, and an event's text cannot become a script.
LIVE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)

__all__ = ["LIVE_FILES", "LIVE_POLICY", "RecentEvents"]
