"""The rows behind a number, page by page, and as a file."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from starlette.responses import Response

from dashboard.portal.columns import Column, column_named
from dashboard.portal.datasets import DATASETS, Dataset, RowChoice
from dashboard.portal.exports import MEDIA_TYPES, Sheet
from dashboard.portal.visit import BadRequest, NoSuchPage, PageVisit

_PAGE = 50
MOST_EXPORTED = 100_000
_PARAMETERS = frozenset({"from", "to", "page"})


def rows(visit: PageVisit) -> Response:
    """A page of a dataset, as the address chooses."""
    dataset, choice, number = _dataset(visit), _choice(visit), visit.number_of("page")
    with visit.marts() as marts:
        formats = visit.formats(marts)
        shown = _in_one_language(visit, dataset.shown_columns(marts, visit.shop.may("people")))
        where = choice.conditions(dataset)
        page_rows = dataset.rows(marts, shown, where, _PAGE + 1, (number - 1) * _PAGE) if marts.has(dataset.mart) else []
        visit.audit("saw", rows=dataset.name, page=number if number > 1 else None, **choice.as_query())
        return visit.page(
            "rows.html",
            dataset=dataset,
            choice=choice,
            shown=shown,
            rows=page_rows[:_PAGE],
            has_next=len(page_rows) > _PAGE,
            number=number,
            first_row=(number - 1) * _PAGE + 1,
            formats=formats,
            column_named=column_named,
            links=_links(visit, dataset),
            page_of=lambda page: visit.path("rows", dataset.name, **choice.as_query(), page=page),
            without=lambda name: visit.path("rows", dataset.name, **{k: v for k, v in choice.as_query().items() if k != name}),
            export_as=lambda kind: visit.path("export", f"{dataset.name}.{kind}", **choice.as_query()),
        )


def export(visit: PageVisit) -> Response:
    """All rows that the address chooses, in its format. Raises BadRequest when they are too many for a file."""
    dataset, choice = _dataset(visit), _choice(visit)
    kind = str(visit.request.path_params["kind"])
    if kind not in MEDIA_TYPES:
        raise NoSuchPage
    with visit.marts() as marts:
        formats = visit.formats(marts)
        shown = _in_one_language(visit, dataset.shown_columns(marts, visit.shop.may("people")))
        exported = dataset.rows(marts, shown, choice.conditions(dataset), MOST_EXPORTED + 1) if marts.has(dataset.mart) else []
        if len(exported) > MOST_EXPORTED:
            raise BadRequest("More than {most} rows: choose fewer days, or a filter.", most=f"{MOST_EXPORTED:,}")
        sheet = Sheet(visit.text(dataset.title), shown, exported, formats)
        body = sheet.as_csv() if kind == "csv" else sheet.as_xlsx()
    visit.portal.metrics.count_export(kind, len(exported))
    visit.audit("exported", rows=dataset.name, format=kind, count=len(exported), **choice.as_query())
    name = f"{visit.shop.shop.shop_id}-{dataset.name}.{kind}"
    return Response(body, media_type=MEDIA_TYPES[kind], headers={"Content-Disposition": f'attachment; filename="{name}"'})


def _dataset(visit: PageVisit) -> Dataset:
    dataset = DATASETS.get(str(visit.request.path_params["dataset"]))
    if dataset is None or (dataset.is_of_persons and not visit.shop.may("people")):
        raise NoSuchPage
    return dataset


def _choice(visit: PageVisit) -> RowChoice:
    dataset, (first, last) = _dataset(visit), visit.dates()
    values = {name: value for name, value in visit.query.items() if name not in _PARAMETERS}
    for name in values:
        if not dataset.may_filter(name, visit.shop.may("people")):
            raise BadRequest("These rows cannot be filtered by {field}.", field=name)
        is_one_month = first is not None and last is not None and (first.year, first.month) == (last.year, last.month)
        if name.endswith(("_before", "_after")) and not is_one_month:
            raise BadRequest("{field} needs the days of one month.", field=name)
    return RowChoice(first, last, values)


def _links(visit: PageVisit, dataset: Dataset) -> dict[str, Callable[[str], str]]:
    """Where a row's ids lead: from a person to orders, from an order to its lines, from an item to the orders of it."""
    targets = {"order_id": "order-lines", "item_id": "order-lines"} | (
        {"person_id": "orders"} if visit.shop.may("people") else {}
    )

    def link(column: str, target: str) -> Callable[[str], str]:
        return lambda value: visit.path("rows", target, **{column: value})

    return {column: link(column, target) for column, target in targets.items() if column in dataset.columns}


def _in_one_language(visit: PageVisit, columns: Iterable[Column]) -> list[Column]:
    return [column for column in columns if column.name not in visit.other_language]
