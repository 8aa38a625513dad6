"""Superset's boards inside the portal: a page that embeds one of them, and the guest token for its shop."""

from __future__ import annotations

import logging

from starlette.responses import JSONResponse, Response

from dashboard.portal.front_door import framing
from dashboard.portal.guest_tokens import SupersetUnavailable
from dashboard.portal.visit import NoSuchPage, PageVisit
from dashboard.superset_boards import SupersetBoard, boards

log = logging.getLogger(__name__)


def workbench(visit: PageVisit) -> Response:
    """The page of a board, or of the first one; its script chooses the layout by the window's width."""
    board = _board(visit)
    superset = visit.portal.settings.superset_address
    visit.audit("saw", page="workbench", board=board.name)
    answer = visit.page("workbench.html", board=board, boards=boards().values(), superset=superset)
    answer.headers.update(framing(superset))
    return answer


def token(visit: PageVisit) -> Response:
    """A token that shows the board's dashboards with this shop's rows; the page asks for a new one before it runs out."""
    uuids = list(_board(visit).embedded.values())
    try:
        return JSONResponse({"token": visit.portal.guest_tokens.of_shop(visit.shop.shop.shop_id, uuids)})
    except SupersetUnavailable as error:
        log.warning("no guest token: %s", error)
        return JSONResponse({"error": visit.text("The workbench does not answer. Try again in a minute.")}, 503)


def _board(visit: PageVisit) -> SupersetBoard:
    board = boards().get(str(visit.request.path_params.get("board", next(iter(boards())))))
    if board is None:
        raise NoSuchPage
    return board
