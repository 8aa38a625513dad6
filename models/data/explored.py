"""What the exploring places of a shop's lists showed and whether it was clicked: what chance decided in the decision log."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from jishi.lake.query import open_lake
from jishi.lake.reading import LakeVersion
from models.data.sequences import Numbers

LOGGED_DAYS = 28
MOST_DECISIONS = 20_000  # the newest ones
# An answer that no page has shown says nothing of a click.
_EXPLORED = f"""
with newest as (select max(logged_at) as at from silver_decisions where shop_id = $shop)
select request_id, coalesce(person_id, '') as person_id, item_id, eligible, clicked_at is not null as is_clicked
from silver_decisions, newest
where shop_id = $shop and arm = 'explored' and shown_at is not null and logged_at > newest.at - interval '{LOGGED_DAYS} days'
order by logged_at desc, request_id
limit {MOST_DECISIONS}
"""


@dataclass(frozen=True)
class ExploredLog:
    """Places that explored and were shown, one row each.

    ``chances`` (decisions, items) has the chance of every item that could have been drawn, 0 elsewhere; rows sum to 1.
    ``item`` is the number of the drawn one, ``reward`` 1 where it was clicked. Decisions of one person have one number in
    ``person``; each without a person is one of its own.
    """

    item_ids: Sequence[str]
    chances: sparse.csr_matrix
    item: Numbers
    reward: np.ndarray
    person: Numbers

    def __len__(self) -> int:
        """Decisions."""
        return len(self.item)

    @property
    def logged(self) -> np.ndarray:
        """Chance with which the item of each decision was drawn."""
        return np.asarray(self.chances[np.arange(len(self)), self.item]).ravel()


def read_explored(lake: LakeVersion, shop_id: str) -> ExploredLog:
    """The newest decisions of a shop's last ``LOGGED_DAYS`` days of the log that explored."""
    with open_lake(lake) as connection:
        rows = connection.execute(_EXPLORED, {"shop": shop_id}).fetchall()
    return explored_log(
        [(person or f"answer {request}", item, json.loads(line), clicked) for request, person, item, line, clicked in rows]
    )


def explored_log(rows: Sequence[tuple[str, str, Mapping[str, float], bool]]) -> ExploredLog:
    """Of person, item, chances by item, and whether it was clicked."""
    item_ids = sorted({item_id for _, _, chances, _ in rows for item_id in chances})
    number_of = {item_id: number for number, item_id in enumerate(item_ids)}
    starts = np.cumsum([0, *(len(chances) for _, _, chances, _ in rows)])
    columns = np.array([number_of[item_id] for _, _, chances, _ in rows for item_id in chances], dtype=np.int64)
    values = np.array([chance for _, _, chances, _ in rows for chance in chances.values()], dtype=np.float64)
    _, person = np.unique([person for person, *_ in rows], return_inverse=True) if rows else (None, np.zeros(0, dtype=np.int64))
    return ExploredLog(
        item_ids,
        sparse.csr_matrix((values, columns, starts), shape=(len(rows), len(item_ids))),
        np.array([number_of[item_id] for _, item_id, _, _ in rows], dtype=np.int64),
        np.array([float(is_clicked) for *_, is_clicked in rows]),
        person.astype(np.int64),
    )
