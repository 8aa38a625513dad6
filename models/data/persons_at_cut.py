"""Who the persons of acts were as known at a cut: silver says it by all links known today, and a login after the cut would
tell a model of the past whose device it was. A repaired event was known from its repair on.

Only devices are looked at of which something was learnt since: a login on them, a login of one of their users elsewhere (which
may cap the user), an unlink, an act of before the cut (which may join two visits of a shared device). All others have the
persons that they had (``jishi.identity``).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from jishi.catalogue import KNOWN_AT
from jishi.identity import DEVICE, RULES, USER, Act, LinkReason, links, persons
from jishi.lake.reading import LakeVersion
from jishi.paths import Paths
from jishi.unlinks import ShopUnlink, read_unlinks
from models.data.known_acts import KNOWN_ACTS

if TYPE_CHECKING:
    import duckdb

# What ``jishi.identity`` reads of events: a refund is the shop's act.
_ACTS = f"""
    select event_id, anonymous_id, user_id, epoch_ms(occurred_at) as occurred_ms, epoch_ms(received_at) as received_ms,
        person_id
    from silver_events where shop_id = $shop and type <> 'order_refunded' and {KNOWN_AT} < $cut
"""
_DEVICES = f"""
    create or replace temp table learnt_of as
    with late as (
        select anonymous_id, user_id from silver_events
        where shop_id = $shop and anonymous_id is not null and user_id is not null and type <> 'order_refunded'
            and {KNOWN_AT} >= $cut
        union select unnest($devices), unnest($users)
    )
    select distinct anonymous_id from (
        select anonymous_id from late union all
        select anonymous_id from silver_events
        where shop_id = $shop and anonymous_id is not null and type <> 'order_refunded'
            and {KNOWN_AT} >= $cut and occurred_at < $cut + interval 1 minute  -- a clock may be a few seconds fast
        union all
        select anonymous_id from silver_events
        where shop_id = $shop and anonymous_id is not null and user_id in (select user_id from late)
    )
"""
# Of a pair's evidence within a horizon the first, the last and what was known first make the same links as all of it, except
# where an unlink takes some of it back.
_EVIDENCE = f"""
    with evidence as (
        select * exclude (person_id),
            (anonymous_id, user_id) in (select (anonymous_id, user_id) from unlinked_pairs) as is_unlinked
        from ({_ACTS}) where anonymous_id is not null and user_id is not null and (
            anonymous_id in (select anonymous_id from learnt_of)
            or user_id in (select user_id from ({_ACTS}) where anonymous_id in (select anonymous_id from learnt_of))
        )
    ),
    grouped as (
        select unnest([
            arg_min(e, occurred_ms), arg_max(e, occurred_ms), arg_min(e, {{received_ms: received_ms, event_id: event_id}})
        ]) as act
        from evidence as e
        group by anonymous_id, user_id, occurred_ms // $bucket_ms, case when is_unlinked then event_id end
    )
    select distinct act.event_id, act.anonymous_id, act.user_id, act.occurred_ms, act.received_ms from grouped
"""
_SHARED = "(select anonymous_id from links_then group by 1 having count(distinct user_id) > 1)"
# A device of one user at most: an act is the user's while the link is active, whoever logs in within the visit.
_OF_UNSHARED = f"""
    with acts as (
        select a.event_id, a.person_id, coalesce('{USER}' || l.user_id, '{DEVICE}' || a.anonymous_id) as person_then
        from ({_ACTS}) as a
        left join links_then as l
            on a.anonymous_id = l.anonymous_id and l.is_login and a.occurred_ms between l.valid_from_ms and l.valid_to_ms
        where a.user_id is null and a.anonymous_id in (select anonymous_id from learnt_of) and a.anonymous_id not in {_SHARED}
    )
    select event_id, person_then from acts where person_id <> person_then
"""
_OF_SHARED = f"{_ACTS} and anonymous_id in (select anonymous_id from learnt_of) and anonymous_id in {_SHARED}"


def persons_then(
    connection: duckdb.DuckDBPyConnection, shop_id: str, cut: datetime, unlinks: Iterable[ShopUnlink] = ()
) -> dict[str, str]:
    """By event id the person of each act known before ``cut`` (UTC) who was another one then than silver says today."""
    of_shop = [unlink for unlink in unlinks if unlink.shop_id == shop_id]
    cut_ms = int(cut.replace(tzinfo=UTC).timestamp() * 1000)
    late = [unlink for unlink in of_shop if unlink.known_at_ms >= cut_ms]
    values: dict[str, Any] = {"shop": shop_id, "cut": cut}
    late_pairs = {"devices": [unlink.anonymous_id for unlink in late], "users": [unlink.user_id for unlink in late]}
    connection.execute(_DEVICES, values | late_pairs)
    connection.register("unlinked_pairs", _table(("anonymous_id", "user_id"), [unlink.unlink[:2] for unlink in of_shop]))
    evidence = (Act(*row) for row in connection.execute(_EVIDENCE, values | {"bucket_ms": RULES.horizon_ms}).fetchall())
    at_cut = links(evidence, (unlink.unlink for unlink in of_shop), known_before_ms=cut_ms)
    names = ("anonymous_id", "user_id", "valid_from_ms", "valid_to_ms", "is_login")
    rows = [(*link[:4], link.reason is LinkReason.LOGIN) for link in at_cut if link.reason is not LinkReason.SHARED_ACCOUNT]
    connection.register("links_of_cut", _table(names, rows))
    connection.execute("create or replace temp table links_then as select * from links_of_cut")
    then = dict(connection.execute(_OF_UNSHARED, values).fetchall())
    shared = connection.execute(_OF_SHARED, values).fetchall()
    of_shared = persons([Act(*row[:5]) for row in shared], at_cut, known_before_ms=cut_ms)
    return then | {row[0]: of_shared[row[0]] for row in shared if row[5] is not None and of_shared[row[0]] != row[5]}


def _table(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> pa.Table:
    """Columns of text, of integers after ``_ms`` and of truth after ``is_``, which they are without a row, too."""
    types = [pa.int64() if name.endswith("_ms") else pa.bool_() if name.startswith("is_") else pa.string() for name in names]
    columns = zip(*rows, strict=True) if rows else [()] * len(names)
    return pa.table([pa.array(column, kind) for column, kind in zip(columns, types, strict=True)], names=list(names))


def view_persons_then(connection: duckdb.DuckDBPyConnection, lake: LakeVersion, shop_id: str, cut: datetime) -> bool:
    """Make the temporary view ``interactions_then``: silver's interactions with the persons of before the cut as they were
    known at it. Says whether any is another one.
    """
    then = persons_then(connection, shop_id, cut, read_unlinks(Paths.of(lake.settings).unlinks))
    rows = pa.table({"event_id": pa.array(list(then), pa.string()), "person_then": pa.array(list(then.values()), pa.string())})
    connection.register("persons_of_cut", rows)
    connection.execute("create or replace temp table persons_then as select * from persons_of_cut")
    # What is not an equality stands outside of the join, which would else compare every act with every row.
    known = f"a.shop_id = '{shop_id}' and a.occurred_at < '{cut.isoformat()}' and a.known_at < '{cut.isoformat()}'"
    person = f"case when {known} then coalesce(t.person_then, a.person_id) else a.person_id end as person_id"
    connection.execute(
        f"create or replace temp view interactions_then as select a.* replace ({person}) "
        f"from {KNOWN_ACTS} as a left join persons_then as t on a.event_id = t.event_id"
    )
    return bool(then)
