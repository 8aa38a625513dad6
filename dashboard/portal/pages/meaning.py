"""What is this number? The answer of the people who defined it."""

from __future__ import annotations

from starlette.responses import Response

from dashboard.portal.columns import column_named, column_of_metric
from dashboard.portal.meanings import Meaning, meaning_of
from dashboard.portal.visit import NoSuchPage, PageVisit


def meaning(visit: PageVisit) -> Response:
    """The description of a column of a mart that this shop has; htmx asks for the text alone."""
    mart, name = (str(visit.request.path_params[part]) for part in ("mart", "column"))
    with visit.marts() as marts:
        if not marts.has(mart, name):
            raise NoSuchPage
        formats = visit.formats(marts)
    manifest = visit.portal.paths.warehouse / "target" / "manifest.json"
    about = meaning_of(manifest, mart, column_named(name), marts.semantic_manifest, visit.language)
    template = "_meaning.html" if "hx-request" in visit.request.headers else "meaning.html"
    return visit.page(template, column=column_named(name), mart=mart, meaning=about, formats=formats)


def metric(visit: PageVisit) -> Response:
    """What a metric is, as it was published with the marts."""
    with visit.marts() as marts:
        known = marts.build.metrics.get(str(visit.request.path_params["metric"]))
        if known is None:
            raise NoSuchPage
        formats = visit.formats(marts)
    template = "_meaning.html" if "hx-request" in visit.request.headers else "meaning.html"
    return visit.page(template, column=column_of_metric(known), mart="", meaning=Meaning("", "", known), formats=formats)
