"""The portal's addresses. Whatever is added here goes through the front door; tests/unit/dashboard walks all of them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import httpx
from argon2 import PasswordHasher
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from dashboard.admin import portal_password_file
from dashboard.portal.alerts.rules import AlertRules
from dashboard.portal.audit import AuditLog
from dashboard.portal.boards import Boards
from dashboard.portal.counter_reader import CounterReader
from dashboard.portal.counter_table import CounterTable
from dashboard.portal.database import PortalDatabase
from dashboard.portal.front_door import HEADERS, PortalPage
from dashboard.portal.guest_tokens import GuestTokens
from dashboard.portal.live_streams import LiveStreams
from dashboard.portal.metrics import PortalMetrics
from dashboard.portal.pages import (
    account,
    alerts,
    boards,
    channels,
    customers,
    item,
    items,
    keys,
    meaning,
    members,
    now,
    recommendations,
    rejected,
    rows,
    rules,
    segments,
    today,
    traffic,
    uploads,
    workbench,
)
from dashboard.portal.pages import settings as settings_page
from dashboard.portal.passwords import Passwords
from dashboard.portal.people import People
from dashboard.portal.published_marts import PublishedMarts
from dashboard.portal.quarantine import Quarantine
from dashboard.portal.rate_limits import LoginLimits
from dashboard.portal.receivers import Receivers
from dashboard.portal.saved_segments import SavedSegments
from dashboard.portal.sessions import Sessions
from dashboard.portal.state import Portal
from dashboard.portal.uploads import LARGEST_UPLOAD, Uploads
from dashboard.portal.visit import PageVisit
from jishi.kafka import KafkaCluster
from jishi.paths import Paths
from jishi.rules.preview_client import PreviewClient
from jishi.settings import Settings

_FOLDER = Path(__file__).parent
_MEDIA_TYPES = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
_STATIC = {
    file.name: file
    for folder in (_FOLDER / "static", _FOLDER / "static" / "vendor")
    for file in sorted(folder.iterdir())
    if file.suffix in _MEDIA_TYPES
}

PAGES = (
    PortalPage("/healthz", account.healthz, "nothing"),
    PortalPage("/", account.home, "login"),
    PortalPage("/login", account.login_form, "nothing"),
    PortalPage("/login", account.log_in, "nothing", "POST"),
    PortalPage("/logout", account.log_out, "login", "POST"),
    PortalPage("/links/{token}", account.link_form, "nothing"),
    PortalPage("/links/{token}", account.use_link, "nothing", "POST"),
    PortalPage("/language", account.choose_language, "nothing", "POST"),
    PortalPage("/shops", account.shops, "login"),
    PortalPage("/shops/{shop_id}/now", now.now, "see"),
    PortalPage("/shops/{shop_id}/now/stream", now.now_stream, "see", is_of_script=True),
    PortalPage("/shops/{shop_id}/today", today.today, "see"),
    PortalPage("/shops/{shop_id}/traffic", traffic.traffic, "see"),
    PortalPage("/shops/{shop_id}/customers", customers.customers, "see"),
    PortalPage("/shops/{shop_id}/items", items.items, "see"),
    PortalPage("/shops/{shop_id}/items/{item_id:path}", item.item, "see"),
    PortalPage("/shops/{shop_id}/recommendations", recommendations.recommendations, "see"),
    PortalPage("/shops/{shop_id}/rules", rules.rules, "see"),
    PortalPage("/shops/{shop_id}/rules/preview", rules.preview, "rules", "POST"),
    PortalPage("/shops/{shop_id}/rules/publish", rules.publish, "rules", "POST"),
    PortalPage("/shops/{shop_id}/rules/rollback", rules.roll_back, "rules", "POST"),
    PortalPage("/shops/{shop_id}/channels", channels.channels, "see"),
    PortalPage("/shops/{shop_id}/alerts", alerts.alerts, "see"),
    PortalPage("/shops/{shop_id}/alerts/add", alerts.add, "manage", "POST"),
    PortalPage("/shops/{shop_id}/alerts/snooze", alerts.snooze, "manage", "POST"),
    PortalPage("/shops/{shop_id}/alerts/delete", alerts.delete, "manage", "POST"),
    PortalPage("/shops/{shop_id}/receivers/add", alerts.add_receiver, "manage", "POST"),
    PortalPage("/shops/{shop_id}/receivers/test", alerts.try_receiver, "manage", "POST"),
    PortalPage("/shops/{shop_id}/receivers/remove", alerts.remove_receiver, "manage", "POST"),
    PortalPage("/shops/{shop_id}/segments", segments.segments, "rows"),
    PortalPage("/shops/{shop_id}/segments/save", segments.save, "people", "POST"),
    PortalPage("/shops/{shop_id}/segments/delete", segments.delete, "people", "POST"),
    PortalPage("/shops/{shop_id}/segments/export.{kind}", segments.export, "people"),
    PortalPage("/shops/{shop_id}/boards", boards.boards, "see"),
    PortalPage("/shops/{shop_id}/boards/create", boards.create, "rows", "POST"),
    PortalPage("/shops/{shop_id}/boards/{board_id}", boards.board, "see"),
    PortalPage("/shops/{shop_id}/boards/{board_id}/rename", boards.rename, "rows", "POST"),
    PortalPage("/shops/{shop_id}/boards/{board_id}/delete", boards.delete, "rows", "POST"),
    PortalPage("/shops/{shop_id}/boards/{board_id}/charts/add", boards.add_chart, "rows", "POST"),
    PortalPage("/shops/{shop_id}/boards/{board_id}/charts/change", boards.change_chart, "rows", "POST"),
    PortalPage("/shops/{shop_id}/metrics/{metric}", meaning.metric, "see"),
    PortalPage("/shops/{shop_id}/meaning/{mart}/{column}", meaning.meaning, "see"),
    PortalPage("/shops/{shop_id}/rows/{dataset}", rows.rows, "rows"),
    PortalPage("/shops/{shop_id}/export/{dataset}.{kind}", rows.export, "export"),
    PortalPage("/shops/{shop_id}/workbench", workbench.workbench, "workbench"),
    PortalPage("/shops/{shop_id}/workbench/{board}", workbench.workbench, "workbench"),
    PortalPage("/shops/{shop_id}/workbench/{board}/token", workbench.token, "workbench", "POST"),
    PortalPage("/shops/{shop_id}/members", members.members, "manage"),
    PortalPage("/shops/{shop_id}/members/invite", members.invite, "manage", "POST"),
    PortalPage("/shops/{shop_id}/members/withdraw", members.withdraw, "manage", "POST"),
    PortalPage("/shops/{shop_id}/members/role", members.change_role, "manage", "POST"),
    PortalPage("/shops/{shop_id}/members/remove", members.remove, "manage", "POST"),
    PortalPage("/shops/{shop_id}/members/reset", members.reset, "manage", "POST"),
    PortalPage("/shops/{shop_id}/uploads", uploads.uploads, "upload"),
    PortalPage("/shops/{shop_id}/uploads/send", uploads.send, "upload", "POST", LARGEST_UPLOAD, most_files=6),
    PortalPage("/shops/{shop_id}/uploads/{upload_id}", uploads.upload, "upload"),
    PortalPage("/shops/{shop_id}/uploads/{upload_id}/start", uploads.start, "upload", "POST"),
    PortalPage("/shops/{shop_id}/rejected", rejected.rejected, "upload"),
    PortalPage("/shops/{shop_id}/keys", keys.keys, "manage"),
    PortalPage("/shops/{shop_id}/keys/create", keys.create, "manage", "POST"),
    PortalPage("/shops/{shop_id}/keys/rotate", keys.rotate, "manage", "POST"),
    PortalPage("/shops/{shop_id}/keys/revoke", keys.revoke, "manage", "POST"),
    PortalPage("/shops/{shop_id}/settings", settings_page.settings, "manage"),
    PortalPage("/shops/{shop_id}/settings/shop", settings_page.change_shop, "manage", "POST"),
    PortalPage("/shops/{shop_id}/settings/customers", settings_page.change_customers, "manage", "POST"),
    PortalPage("/shops/{shop_id}/settings/items", settings_page.change_items, "manage", "POST"),
    PortalPage("/shops/{shop_id}/settings/quiet-hours", settings_page.change_quiet_hours, "manage", "POST"),
    PortalPage("/shops/{shop_id}/settings/exclusions/add", settings_page.add_exclusion, "manage", "POST"),
    PortalPage("/shops/{shop_id}/settings/exclusions/remove", settings_page.remove_exclusion, "manage", "POST"),
    PortalPage("/shops/{shop_id}/audit", members.audit_log, "manage"),
)


def people_of(paths: Paths, hasher: PasswordHasher | None = None) -> People:
    """The portal's people, for the command line too."""
    return People(PortalDatabase(paths.portal_database), Passwords(hasher))


def make_portal(
    settings: Settings,
    clock: Callable[[], datetime],
    hasher: PasswordHasher | None = None,
    superset: httpx.BaseTransport | None = None,
    serving: httpx.BaseTransport | None = None,
) -> Portal:
    """The state of a portal over a platform's folders; ``superset`` and ``serving`` answer in place of the platform's."""
    paths = Paths.of(settings)
    database = PortalDatabase(paths.portal_database)
    counters, streams = CounterTable(), LiveStreams()
    templates = Environment(
        loader=FileSystemLoader(_FOLDER / "templates"),
        autoescape=select_autoescape(default=True, default_for_string=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return Portal(
        settings=settings,
        paths=paths,
        people=People(database, Passwords(hasher)),
        sessions=Sessions(database),
        limits=LoginLimits(database),
        audit=AuditLog(database),
        guest_tokens=GuestTokens(settings.superset_internal_address, portal_password_file(paths), superset),
        marts=PublishedMarts(settings),
        counters=counters,
        counter_reader=CounterReader(KafkaCluster.of(settings), counters),
        streams=streams,
        metrics=PortalMetrics(streams),
        alert_rules=AlertRules(database),
        receivers=Receivers(database),
        segments=SavedSegments(database),
        boards=Boards(database),
        uploads=Uploads(settings),
        quarantine=Quarantine(settings),
        previews=PreviewClient(settings, serving),
        templates=templates,
        assets={
            name: f"/static/{name}?v={hashlib.sha256(file.read_bytes()).hexdigest()[:12]}" for name, file in _STATIC.items()
        },
        clock=clock,
    )


def make_app(portal: Portal) -> Starlette:
    """The application; an address that nothing answers is answered as one that is not the person's."""
    static = PortalPage("/static/{name}", _static, "nothing")
    rest = PortalPage("/{rest:path}", account.missing, "nothing")

    async def plain_error(_: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 500
        return Response("this request cannot be answered", status, HEADERS, "text/plain")

    return Starlette(
        routes=[page.route(portal) for page in (*PAGES, static, rest)],
        exception_handlers={HTTPException: plain_error, Exception: plain_error},
    )


def utc_now() -> datetime:
    """The clock of a portal that serves people."""
    return datetime.now(UTC)


def _static(visit: PageVisit) -> Response:
    """A file of the portal's own, named with its checksum; nothing of a shop is in it."""
    file = _STATIC.get(str(visit.request.path_params["name"]))
    if file is None:
        return account.missing(visit)
    headers = {"Cache-Control": "public, max-age=31536000, immutable"}
    return Response(file.read_bytes(), media_type=_MEDIA_TYPES[file.suffix], headers=headers)
