"""A candidate made from the tables that Spark published, for shops whose acts do not fit one machine's memory.

``train`` writes the same folder as ``models.training.train``: ``window/`` from the tables that were learnt up to the cut of the
shop's split (``python -m spark_jobs … --before``), ``full/`` from those that all acts taught. Evaluate, gate and publish take
it like any other candidate, and serving answers from the release with the reasons of its models: what people bought together
(cart), items near those of the visit (item page), items near those of a person's history (home, after payment). Popularity is
added up by DuckDB from silver; the acts themselves are not read. Models that have no table (sessions, rhythms, the ranker, new
items) are not in it.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Any

from jishi.factorisation import Parameters
from jishi.files import write_atomically
from jishi.lake.query import open_lake
from jishi.lake.reading import LakeVersion
from jishi.paths import Paths
from jishi.preference import WEIGHTS
from jishi.tables import (
    ALS_ITEM_FACTORS,
    ALS_PERSON_FACTORS,
    BEFORE_CUT,
    ITEM_NEIGHBOURS,
    PERSON_CANDIDATES,
    RECOMMENDATIONS,
    TableSchema,
)
from models.candidates.recipes import OF_TABLES
from models.data.evaluation_acts import Acts, describe, split
from models.data.interactions import OF_SHOP, OF_SHOP_THEN, instant, recently_listed
from models.data.persons_at_cut import view_persons_then
from models.release.artefact import save
from models.release.candidate import MADE_FROM
from models.release.serving_index import RELEASE_FORMAT
from models.training.provenance import code_digest
from models.training.table_arrays import read_states, view

if TYPE_CHECKING:
    import duckdb

_NEEDED: tuple[tuple[TableSchema, str | None, str], ...] = (
    (ITEM_NEIGHBOURS, "order", "cooccurrence --within order"),
    (ITEM_NEIGHBOURS, "person", "cooccurrence --within person"),
    (ALS_ITEM_FACTORS, None, "als"),
    (ALS_PERSON_FACTORS, None, "als"),
    (PERSON_CANDIDATES, None, "candidates"),
)
# Whom the full tables know, and the persons of the cut, who may have been others then; its items are among the full ones.
_IDS: dict[str, dict[TableSchema, tuple[str, ...]]] = {
    "items": {
        ALS_ITEM_FACTORS: ("item_id",),
        ITEM_NEIGHBOURS: ("item_id", "neighbour_id"),
        PERSON_CANDIDATES: ("item_id", "because_item_id"),
    },
    "persons": {ALS_PERSON_FACTORS: ("person_id",), PERSON_CANDIDATES: ("person_id",)},
}


class TablesMissing(LookupError):
    """Tables that a candidate is made of are missing, or of another cut or time; the message names the command that helps."""


def train(paths: Paths, lake: LakeVersion, shop_id: str) -> str:
    """Write the candidate of a shop from its tables; returns the candidate's id, which follows from the rows of the tables.

    Same rows, same bytes. Raises TablesMissing, NoInteractions and TooShort.
    """
    with open_lake(lake) as connection:
        cut = instant(split(connection, shop_id).cut)
        view_persons_then(connection, lake, shop_id, cut)
        for before in (cut, None):
            _check(connection, shop_id, before)
        ids = {name: _number(connection, shop_id, name, cut) for name in _IDS}
        _check_known(connection, shop_id)
        acts = {"window": describe(connection, shop_id, cut), "full": describe(connection, shop_id)}
        facts = _facts(connection, shop_id, cut, acts["full"])
        candidate = str(facts["candidate"])
        folder = paths.models / shop_id / "candidates" / candidate
        shutil.rmtree(folder, ignore_errors=True)
        for name, before in (("window", cut), ("full", None)):
            states = read_states(connection, shop_id, len(ids["items"]), len(ids["persons"]), before)
            span = {"from": acts[name].first.isoformat(), "to": acts[name].last.isoformat()}
            save(folder / name, states, ids, facts | {"models": _parameters(states), "trained_on": span})
    write_atomically(folder.parent / "LATEST", candidate + "\n")
    return candidate


def _check(connection: duckdb.DuckDBPyConnection, shop_id: str, before: datetime | None) -> None:
    """That the tables have rows of the shop, and rows of this cut and no other. Without neighbours within orders nothing is
    said to be bought together, and the gate gives the cart to another model.
    """
    for schema, within, job in _NEEDED:
        option = "" if before is None else f" --before {before.isoformat()}Z"
        help_ = f"run: python -m spark_jobs {job} --shop {shop_id}{option}"
        relation = view(schema, before)
        name = schema.name if before is None else BEFORE_CUT[schema].name
        where = "shop_id = ?" + ("" if within is None else f""" and "within" = '{within}'""")
        if connection.execute(f"select 1 from {relation} where {where} limit 1", [shop_id]).fetchone() is None:
            if within == "order":  # a shop may have no two items that were ever bought together twice
                continue
            raise TablesMissing(f"shop {shop_id!r} has no rows{_within_suffix(within)} in {name}; {help_}")
        if before is None:
            continue
        sql = f"select known_before from {relation} where {where} and known_before <> ? limit 1"
        other = connection.execute(sql, [shop_id, before]).fetchone()
        if other is not None:
            problem = f"known_before is {other[0].isoformat()}Z, the cut of the shop is {before.isoformat()}Z"
            raise TablesMissing(f"{name} of shop {shop_id!r}{_within_suffix(within)}: {problem}; {help_}")


def _within_suffix(within: str | None) -> str:
    return "" if within is None else f" within {within}s"


def _number(connection: duckdb.DuckDBPyConnection, shop_id: str, name: str, before: datetime) -> list[str]:
    """Make the temporary table ``items`` or ``persons``; returns its ids in order."""
    every = " union ".join(
        f"select {column} as id from {relation} where shop_id = $shop"
        for schema, columns in _IDS[name].items()
        for relation in sorted({view(schema, None), view(schema, before if name == "persons" else None)})
        for column in columns
    )
    values: dict[str, Any] = {"shop": shop_id}
    if name == "items":
        every += " union select unnest($listed)"
        values |= {"listed": recently_listed(connection, shop_id)}
    connection.execute(
        f"create temp table {name} as select id, row_number() over (order by id) - 1 as number from ({every})", values
    )
    return [str(id_) for (id_,) in connection.execute(f"select id from {name} order by number").fetchall()]


def _check_known(connection: duckdb.DuckDBPyConnection, shop_id: str) -> None:
    """That the full tables know every person and item of the acts, which they do unless silver is newer."""
    sql = f"select a.person_id, a.item_id {OF_SHOP} union select a.person_id, a.item_id {OF_SHOP_THEN}"
    sql = f"select person_id, item_id from ({sql}) where person_id not in (select id from persons)"
    sql += " or item_id not in (select id from items)"
    stranger = connection.execute(f"{sql} order by all limit 1", {"shop": shop_id}).fetchone()
    if stranger is not None:
        problem = f"an act of {stranger[0]!r} on {stranger[1]!r} is in silver, but not in what Spark learnt from it"
        commands = "cooccurrence, als and candidates, with and without --before"
        raise TablesMissing(f"the tables of shop {shop_id!r} are older than its acts ({problem}); run again: {commands}")


def _facts(connection: duckdb.DuckDBPyConnection, shop_id: str, cut: datetime, acts: Acts) -> dict[str, Any]:
    sources = {schema.name: _digest(connection, schema, shop_id) for schema in (*RECOMMENDATIONS, *BEFORE_CUT.values())}
    facts: dict[str, Any] = {
        "shop_id": shop_id,
        "interactions": acts.count,
        "weights": WEIGHTS,
        "placements": {name: [recipe.name for recipe in each] for name, each in OF_TABLES.items()},
        "ranker": None,
        MADE_FROM: {"tables": sources, "acts": acts.digest, "known_before": cut.isoformat()},
    }
    recipes = {name: [recipe.as_json() for recipe in each] for name, each in OF_TABLES.items()}
    text = json.dumps([code_digest(), facts, recipes, asdict(Parameters()), RELEASE_FORMAT], sort_keys=True)
    return facts | {"candidate": hashlib.sha256(text.encode()).hexdigest()[:16]}


def _digest(connection: duckdb.DuckDBPyConnection, schema: TableSchema, shop_id: str) -> dict[str, Any]:
    """How many rows a table has of a shop, and a digest of them in any order."""
    columns = ", ".join(f'"{column}"' for column in schema.columns)
    sql = f"select count(*), sum(hash({columns}))::varchar from {schema.name.replace('/', '_')} where shop_id = ?"
    rows, digest = connection.execute(sql, [shop_id]).fetchall()[0]
    return {"rows": rows, "digest": digest}


def _parameters(states: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """What ``models.algorithms.ladder.make_models`` needs to ask the arrays as they were made."""
    asked = Parameters()
    factors = int(states["als"]["item_factors"].shape[1])
    als = {"factors": factors, "alpha": asked.alpha, "regularization": asked.regularization, "is_weighted": True}
    return {"popularity": {}, "item_knn": {"shrinkage": 0.0}, "als": als}
