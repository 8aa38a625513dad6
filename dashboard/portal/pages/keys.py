"""Keys of the shop: made, changed for another and taken back by the same code as ``jishi keys``; a key is shown once."""

from __future__ import annotations

from starlette.responses import Response

from dashboard.portal.visit import BadRequest, NoSuchPage, PageVisit
from jishi.shops import BadKey, Right, Shops, UnknownKey, right_named, site_named

_MOST_SITES = 20
TITLES: dict[Right, str] = {
    "write": "sends events (write)",
    "read": "fetches recommendations (read)",
    "track": "sends events from pages, where everybody can read it (track)",
}
_COMPLAINTS = {
    "test": "A read key sends nothing; a test key is a write or track key.",
    "origin": "Sites belong to a track key alone; write each as https://shop.example.",
}


def keys(visit: PageVisit) -> Response:
    """The shop's keys; what they are made of is stored nowhere."""
    return _keys(visit)


def create(visit: PageVisit) -> Response:
    """A new key, shown on this answer alone."""
    right, sites, is_test = _right(visit), visit.form.get("sites", "").split()[:_MOST_SITES], "test" in visit.form
    try:
        sites = [site_named(site) for site in sites]
        with Shops.edit(visit.portal.paths.shops_file) as shops:
            text = shops.issue_key(visit.shop.shop.shop_id, right, now=visit.now, origins=sites, is_test=is_test)
    except BadKey as error:
        raise BadRequest(_COMPLAINTS[error.field]) from None
    visit.audit("made a key", right=right, sites=" ".join(sites) or None, test=is_test or None)
    return _keys(visit, text)


def rotate(visit: PageVisit) -> Response:
    """A new key in the place of all with its right."""
    right, keeps_old = _right(visit), "keep_old" in visit.form
    with Shops.edit(visit.portal.paths.shops_file) as shops:
        text = shops.rotate_keys(visit.shop.shop.shop_id, right, now=visit.now, keep_old=keeps_old)
    visit.audit("rotated keys", right=right, kept_old=keeps_old or None)
    return _keys(visit, text)


def revoke(visit: PageVisit) -> Response:
    """Take a key of this shop back."""
    try:
        with Shops.edit(visit.portal.paths.shops_file) as shops:
            _, key = shops.revoke_key(visit.form.get("key_id", ""), visit.shop.shop.shop_id)
    except UnknownKey:
        raise NoSuchPage from None
    visit.audit("revoked a key", right=key.right, key=key.key_id)
    return visit.redirect(visit.path("keys"))


def _right(visit: PageVisit) -> Right:
    try:
        return right_named(visit.form.get("right", ""))
    except BadKey:
        raise NoSuchPage from None


def _keys(visit: PageVisit, text: str | None = None) -> Response:
    shop = Shops.load(visit.portal.paths.shops_file).get(visit.shop.shop.shop_id)
    return visit.page("keys.html", keys=shop.keys, titles=TITLES, new_key=text)
