"""A query may hold the parameters that its address has: a filter whose name is typed wrong would be no filter at all."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches
from typing import Annotated

from fastapi import Depends
from fastapi.dependencies.models import Dependant
from fastapi.exceptions import RequestValidationError
from fastapi.requests import Request as HttpRequest

from serving.access import allowed_shop

_MOST_LETTERS = 100


async def refuse_unknown_parameters(http: HttpRequest, _: Annotated[str, Depends(allowed_shop)]) -> None:
    """Raise RequestValidationError that names the first parameter that the address does not have, and the near one."""
    known = list(dict.fromkeys(_names_of(http.scope["route"].dependant)))
    for name in http.query_params:
        if name not in known:
            near = "".join(f", perhaps {each}" for each in get_close_matches(name[:_MOST_LETTERS], known, 1))
            message = f"there is no such parameter{near}; known: {', '.join(known) or 'none'}"
            raise RequestValidationError([{"type": "unknown", "loc": ("query", name[:_MOST_LETTERS]), "msg": message}])


def _names_of(dependant: Dependant) -> Iterator[str]:
    yield from (field.alias for field in dependant.query_params)
    for each in dependant.dependencies:
        yield from _names_of(each)
