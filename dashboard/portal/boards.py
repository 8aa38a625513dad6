"""Boards that a shop's people made: each a list of charts, of which what is kept is the question and never SQL or a number."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from dashboard.portal.database import PortalDatabase

MOST_CHARTS, MOST_BOARDS = 12, 50
ChartKind = Literal["line", "bar", "table", "number"]
TIMES = ("metric_time__day", "metric_time__week", "metric_time__month")
Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,99}$")]


class NoSuchBoard(LookupError):
    """The shop has no such board, or not for this person."""


class BoardIsFull(ValueError):
    """No further chart, or no further board, has room."""


class BoardChart(BaseModel):
    """One question to the metric layer: a metric, by time or a dimension or as one number, where a dimension has a value."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    metric: Name
    kind: ChartKind
    by: Name | None = None
    filter_by: Name | None = None
    filter_value: str = Field("", max_length=200)


@dataclass(frozen=True)
class Board:
    """A board with its maker's login; a shared one is seen by everybody of the shop."""

    board_id: int
    title: str
    login: str
    is_shared: bool
    charts: tuple[BoardChart, ...]

    def is_of(self, login: str) -> bool:
        """Whether this person made it."""
        return self.login == login


class Boards:
    """Boards in the portal's database; every question is one of a shop and a person."""

    def __init__(self, database: PortalDatabase) -> None:
        self._database = database

    def seen_by(self, shop_id: str, login: str) -> list[Board]:
        """A person's own boards, then those that others share."""
        with self._database.reading() as connection:
            rows = connection.execute(
                "select * from boards where shop_id = ? and (login = ? or is_shared) order by login <> ?, title, board_id",
                [shop_id, login, login],
            ).fetchall()
        return [
            Board(
                row["board_id"],
                row["title"],
                row["login"],
                bool(row["is_shared"]),
                tuple(BoardChart.model_validate(chart) for chart in json.loads(row["charts"])),
            )
            for row in rows
        ]

    def get(self, shop_id: str, login: str, board_id: int) -> Board:
        """A board that the person may see. Raises NoSuchBoard."""
        for board in self.seen_by(shop_id, login):
            if board.board_id == board_id:
                return board
        raise NoSuchBoard(board_id)

    def create(self, shop_id: str, login: str, title: str, now: datetime) -> int:
        """A new board without charts; its number. Raises BoardIsFull."""
        with self._database.transaction() as connection:
            [count] = connection.execute("select count(*) from boards where shop_id = ?", [shop_id]).fetchone()
            if count >= MOST_BOARDS:
                raise BoardIsFull
            inserted = connection.execute(
                "insert into boards (shop_id, login, title, is_shared, charts, created_at) values (?, ?, ?, 0, '[]', ?)",
                [shop_id, login, title, int(now.timestamp())],
            )
        return int(inserted.lastrowid or 0)

    def rename(self, shop_id: str, board_id: int, title: str, is_shared: bool) -> None:
        """Another title, and who sees it."""
        with self._database.transaction() as connection:
            connection.execute(
                "update boards set title = ?, is_shared = ? where shop_id = ? and board_id = ?",
                [title, is_shared, shop_id, board_id],
            )

    def delete(self, shop_id: str, board_id: int) -> None:
        """Forget a board of the shop."""
        with self._database.transaction() as connection:
            connection.execute("delete from boards where shop_id = ? and board_id = ?", [shop_id, board_id])

    def change_charts(self, shop_id: str, board_id: int, change: Callable[[list[BoardChart]], list[BoardChart]]) -> None:
        """Put what ``change`` makes of the charts in their place. Raises BoardIsFull and NoSuchBoard."""
        where = [shop_id, board_id]
        with self._database.transaction() as connection:
            row = connection.execute("select charts from boards where shop_id = ? and board_id = ?", where).fetchone()
            if row is None:
                raise NoSuchBoard(board_id)
            charts = change([BoardChart.model_validate(chart) for chart in json.loads(row["charts"])])
            if len(charts) > MOST_CHARTS:
                raise BoardIsFull
            text = json.dumps([chart.model_dump() for chart in charts], ensure_ascii=False)
            connection.execute("update boards set charts = ? where shop_id = ? and board_id = ?", [text, *where])


def moved(charts: list[BoardChart], place: int, step: int) -> list[BoardChart]:
    """The charts with one moved by a step, or taken out with step 0.

    >>> [chart.metric for chart in moved([BoardChart(metric=name, kind="number") for name in "abc"], 2, -1)]
    ['a', 'c', 'b']
    """
    if not 0 <= place < len(charts):
        return charts
    others = charts[:place] + charts[place + 1 :]
    if step:
        others.insert(min(max(place + step, 0), len(others)), charts[place])
    return others
