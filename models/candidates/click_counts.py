"""How often items were shown and clicked, by place: one definition for a release, which reads the lake, and for serving, which
reads the log since.

A person counts for an item at most as ``MOST_SHOWN`` impressions and ``MOST_CLICKS`` clicks, spread over its places as they
came: neither a bot that never clicks nor somebody who clicks all day has more of a say than that. A click is of the place in
which its list showed the item; one whose list is not there is of the place that it says, else of the explored one.
"""

from __future__ import annotations

from collections.abc import Iterable

import duckdb

from models.candidates.newcomers import EXPLORED_PLACE

MOST_SHOWN = 3
MOST_CLICKS = 1
Act = tuple[str, str, str, int | None]  # request, person, item, place from 0
Row = tuple[str, int, float, float]  # item, place from 0, shown, clicked

# CTEs over two relations: shown (request_id, person_id, item_id, place) and clicks (request_id, person_id, item_id, position).
COUNTS = f"""
    first_shown as (select request_id, item_id, min(place) as place from shown where request_id is not null group by all),
    acts as (
        select item_id, person_id, place, 1 as shown, 0 as clicked from shown
        union all
        select c.item_id, c.person_id, coalesce(f.place, c.position, {EXPLORED_PLACE}), 0, 1
        from clicks as c left join first_shown as f on f.request_id = c.request_id and f.item_id = c.item_id
    ),
    capped as (
        select item_id, place, shown * least(1.0, {MOST_SHOWN} / greatest(sum(shown) over of_person, 1)) as shown,
            clicked * least(1.0, {MOST_CLICKS} / greatest(sum(clicked) over of_person, 1)) as clicked
        from acts where item_id is not null window of_person as (partition by item_id, person_id)
    )
    select item_id, place, sum(shown), sum(clicked) from capped group by all order by all
"""


def counts_of(shown: Iterable[Act], clicks: Iterable[Act]) -> list[Row]:
    """The counts of rows in memory, in the columns that ``COUNTS`` names."""
    with duckdb.connect(":memory:", config={"threads": 1}) as connection:
        connection.execute("create table shown (request_id varchar, person_id varchar, item_id varchar, place bigint)")
        connection.execute("create table clicks (request_id varchar, person_id varchar, item_id varchar, position bigint)")
        for name, rows in (("shown", list(shown)), ("clicks", list(clicks))):
            columns = list(zip(*rows, strict=True))
            if columns:
                connection.execute(
                    f"insert into {name} select unnest($1), unnest($2), unnest($3), unnest($4::bigint[])",
                    [list(column) for column in columns],
                )
        return connection.execute(f"with {COUNTS.strip()}").fetchall()
