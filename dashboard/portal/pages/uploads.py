"""Upload orders, items or rates: look at what the platform understands, then import it, and see how far it is."""

from __future__ import annotations

from collections import Counter
from typing import Any

from starlette.responses import Response

from dashboard.portal.fixes import fix_of
from dashboard.portal.upload_kinds import KINDS, OWN_MAPPING, UploadKind
from dashboard.portal.uploads import LARGEST_UPLOAD, BadUpload, NoSuchUpload, ShopIsBusy, Upload, preview_of
from dashboard.portal.visit import BadRequest, NoSuchPage, PageVisit
from jishi.money import CURRENCY_DIGITS, shown

STATES = {
    "new": "not looked at yet",
    "running": "running",
    "looked": "looked at, not imported",
    "done": "imported",
    "failed": "failed",
    "cut off": "cut off; start it again",
}
_SHOWN_LINES = 30
_MOST_MAPPING = 64 * 1024


def uploads(visit: PageVisit) -> Response:
    """The forms, and what was uploaded before."""
    kept, shop_id = visit.portal.uploads, visit.shop.shop.shop_id
    return visit.page(
        "uploads.html",
        kinds=KINDS.values(),
        own_mapping=OWN_MAPPING,
        uploads=[(upload, kept.progress(shop_id, upload.upload_id)[0]) for upload in kept.all(shop_id)],
        titles={kind.name: kind.title for kind in KINDS.values()},
        states=STATES,
        megabytes=LARGEST_UPLOAD // 2**20,
    )


def send(visit: PageVisit) -> Response:
    """Keep the files in the shop's folder and look at them."""
    kind = KINDS.get(visit.form.get("kind", ""))
    if kind is None:
        raise NoSuchPage
    mapping = next((file.content.read(_MOST_MAPPING) for file in visit.files if file.field == "mapping"), None)
    layout = visit.form.get("layout") or None
    try:
        upload = visit.portal.uploads.keep(
            visit.shop.shop.shop_id,
            kind,
            [(file.name, file.content) for file in visit.files if file.field == "files"],
            layout,
            mapping if layout == OWN_MAPPING else None,
            _options(visit, kind),
            visit.person.login,
            visit.now,
        )
    except BadUpload:
        raise BadRequest(
            "Choose a file (at most {most}) and its layout; with a layout of your own, its file too.", most=f"{kind.most_files}"
        ) from None
    visit.audit("uploaded", kind=kind.name, files=" ".join(upload.files))
    return _started(visit, upload, "look")


def upload(visit: PageVisit) -> Response:
    """What is understood of an upload and how far it is; the page asks again while it runs."""
    chosen, kept, shop_id = _upload(visit), visit.portal.uploads, visit.shop.shop.shop_id
    state, progress = kept.progress(shop_id, chosen.upload_id)
    look, done = (kept.output(shop_id, chosen.upload_id, act) for act in ("look", "import"))
    preview = preview_of(look)
    return visit.page(
        "upload.html",
        upload=chosen,
        title=KINDS[chosen.kind].title,
        state=state,
        state_title=STATES[state],
        progress=progress,
        preview=preview,
        first=[understood(row) for row in preview["first"]] if preview else [],
        months=[_month(row) for row in preview["months"]] if preview else [],
        refused=Counter(preview["refused"]).total() if preview else 0,
        fix_of=fix_of,
        said_by_look=[] if preview else look.splitlines()[-_SHOWN_LINES:],
        said_by_import=done.splitlines()[-_SHOWN_LINES:],
    )


def start(visit: PageVisit) -> Response:
    """Look again, import, or forget the files."""
    chosen, act = _upload(visit), visit.form.get("act")
    if act == "delete":
        try:
            visit.portal.uploads.delete(visit.shop.shop.shop_id, chosen.upload_id)
        except ShopIsBusy:
            raise BadRequest("Another upload of this shop runs; wait for its end.") from None
        visit.audit("deleted an upload", kind=chosen.kind)
        return visit.redirect(visit.path("uploads"))
    if act == "import":
        visit.audit("imported", kind=chosen.kind, files=" ".join(chosen.files))
        return _started(visit, chosen, "import")
    return _started(visit, chosen, "look")


def understood(row: dict[str, Any]) -> list[tuple[str, str]]:
    """A row as the platform reads it: names with values, amounts with their currency; an event without what names it alone."""
    properties = row.get("properties")
    if properties is None:
        return [(name, str(value)) for name, value in row.items()]
    currency = str(properties.get("currency", ""))
    person = row.get("user_id") or row.get("anonymous_id")
    flat: list[tuple[str, str]] = [("type", row["type"]), ("occurred_at", row["occurred_at"])]
    flat += [("user_id", str(person))] if person else []
    for name, value in properties.items():
        flat += [(name, _part(name, part, currency)) for part in (value if isinstance(value, list) else [value])]
    return flat


def _part(name: str, value: Any, currency: str) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_amount(key, each, currency)}" for key, each in value.items())
    return _amount(name, value, currency)


def _amount(name: str, value: Any, currency: str) -> str:
    is_amount = name.endswith("_minor") and isinstance(value, int) and currency in CURRENCY_DIGITS
    return shown(value, currency) if is_amount else str(value)


def _month(row: dict[str, Any]) -> dict[str, Any]:
    return row | {name: shown(row[f"{name}_minor"], row["currency"]) for name in ("paid", "refunded")}


def _options(visit: PageVisit, kind: UploadKind) -> list[str]:
    """Options of the command, each one word, so that no value is taken for another option."""
    options = [f"--{name}={text}" for name in kind.options if (text := visit.form.get(name, "").strip()[:60])]
    return options + ([f"--changed-at={visit.now.isoformat()}"] if kind.has_times else [])


def _upload(visit: PageVisit) -> Upload:
    try:
        return visit.portal.uploads.get(visit.shop.shop.shop_id, str(visit.request.path_params["upload_id"]))
    except NoSuchUpload:
        raise NoSuchPage from None


def _started(visit: PageVisit, chosen: Upload, act: str) -> Response:
    try:
        visit.portal.uploads.start(visit.shop.shop.shop_id, chosen.upload_id, "import" if act == "import" else "look")
    except ShopIsBusy:
        raise BadRequest("Another upload of this shop runs; wait for its end.") from None
    return visit.redirect(visit.path("uploads", chosen.upload_id))
