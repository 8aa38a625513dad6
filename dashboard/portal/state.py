"""What all pages of one running portal share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from jinja2 import Environment

from dashboard.portal.alerts.rules import AlertRules
from dashboard.portal.audit import AuditLog
from dashboard.portal.boards import Boards
from dashboard.portal.counter_reader import CounterReader
from dashboard.portal.counter_table import CounterTable
from dashboard.portal.guest_tokens import GuestTokens
from dashboard.portal.live_streams import LiveStreams
from dashboard.portal.metrics import PortalMetrics
from dashboard.portal.people import People
from dashboard.portal.published_marts import PublishedMarts
from dashboard.portal.quarantine import Quarantine
from dashboard.portal.rate_limits import LoginLimits
from dashboard.portal.receivers import Receivers
from dashboard.portal.saved_segments import SavedSegments
from dashboard.portal.sessions import Sessions
from dashboard.portal.uploads import Uploads
from jishi.paths import Paths
from jishi.rules.preview_client import PreviewClient
from jishi.settings import Settings


@dataclass(frozen=True)
class Portal:
    """Everything that the pages share. ``assets`` are the addresses of static files, ``clock`` gives an aware now."""

    settings: Settings
    paths: Paths
    people: People
    sessions: Sessions
    limits: LoginLimits
    audit: AuditLog
    guest_tokens: GuestTokens
    marts: PublishedMarts
    counters: CounterTable
    counter_reader: CounterReader
    streams: LiveStreams
    metrics: PortalMetrics
    alert_rules: AlertRules
    receivers: Receivers
    segments: SavedSegments
    boards: Boards
    uploads: Uploads
    quarantine: Quarantine
    previews: PreviewClient
    templates: Environment
    assets: Mapping[str, str]
    clock: Callable[[], datetime]
