"""Who the persons of acts were as known at a cut: silver says it by all links known today, and a login after the cut would
tell a model of the past whose device it was.

Only devices are looked at of which something was learnt since: a login on them, a login of one of their users elsewhere (which
may cap the user), an unlink, an act of before the cut (which may join two visits of a shared device). All others have the
persons that they had (``jishi.identity``).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from jishi.identity import Act, links, persons
from jishi.lake.reading import LakeVersion
from jishi.paths import Paths
from jishi.unlinks import ShopUnlink, read_unlinks

if TYPE_CHECKING:
    import duckdb

# What ``jishi.identity`` reads of events: a refund is the shop's act.
_ACTS = """
    select event_id, anonymous_id, user_id, epoch_ms(occurred_at), epoch_ms(received_at), person_id
    from silver_events where shop_id = $shop and type <> 'order_refunded' and
"""
_DEVICES = """
    create or replace temp table learnt_of as
    with late as (
        select anonymous_id, user_id from silver_events
        where shop_id = $shop and anonymous_id is not null and user_id is not null and type <> 'order_refunded'
            and received_at >= $cut
        union select unnest($devices), unnest($users)
    )
    select distinct anonymous_id from (
        select anonymous_id from late union all
        select anonymous_id from silver_events
        where shop_id = $shop and anonymous_id is not null and type <> 'order_refunded'
            and received_at >= $cut and occurred_at < $cut + interval 1 minute  -- a clock may be a few seconds fast
        union all
        select anonymous_id from silver_events
        where shop_id = $shop and anonymous_id is not null and user_id in (select user_id from late)
    )
"""


def persons_then(
    connection: duckdb.DuckDBPyConnection, shop_id: str, cut: datetime, unlinks: Iterable[ShopUnlink] = ()
) -> dict[str, str]:
    """By event id the person of each act known before ``cut`` (UTC) who was another one then than silver says today."""
    of_shop = [unlink for unlink in unlinks if unlink.shop_id == shop_id]
    cut_ms = int(cut.replace(tzinfo=UTC).timestamp() * 1000)
    late = [unlink for unlink in of_shop if unlink.known_at_ms >= cut_ms]
    values: dict[str, Any] = {"shop": shop_id, "cut": cut}
    values |= {"devices": [unlink.anonymous_id for unlink in late], "users": [unlink.user_id for unlink in late]}
    connection.execute(_DEVICES, values)
    on_devices = "anonymous_id in (select anonymous_id from learnt_of)"
    of_users = f"user_id in (select user_id from silver_events where shop_id = $shop and {on_devices})"
    known = "received_at < $cut"
    theirs = connection.execute(f"{_ACTS} {known} and {on_devices}", {"shop": shop_id, "cut": cut}).fetchall()
    if not theirs:
        return {}
    evidence = connection.execute(
        f"{_ACTS} {known} and anonymous_id is not null and ({on_devices} or {of_users})", {"shop": shop_id, "cut": cut}
    ).fetchall()
    at_cut = links((Act(*row[:5]) for row in evidence), (unlink.unlink for unlink in of_shop), known_before_ms=cut_ms)
    then = persons([Act(*row[:5]) for row in theirs], at_cut, known_before_ms=cut_ms)
    return {row[0]: then[row[0]] for row in theirs if row[5] is not None and then[row[0]] != row[5]}


def view_persons_then(connection: duckdb.DuckDBPyConnection, lake: LakeVersion, shop_id: str, cut: datetime) -> bool:
    """Make the temporary view ``interactions_then``: silver's interactions with the persons of before the cut as they were
    known at it. Says whether any is another one.
    """
    then = persons_then(connection, shop_id, cut, read_unlinks(Paths.of(lake.settings).unlinks))
    rows = pa.table({"event_id": pa.array(list(then), pa.string()), "person_then": pa.array(list(then.values()), pa.string())})
    connection.register("persons_of_cut", rows)
    connection.execute("create or replace temp table persons_then as select * from persons_of_cut")
    person = "coalesce(t.person_then, a.person_id) as person_id"
    connection.execute(
        f"create or replace temp view interactions_then as select a.* replace ({person}) "
        "from silver_interactions as a left join persons_then as t on a.event_id = t.event_id "
        f"and a.shop_id = '{shop_id}' and a.occurred_at < '{cut.isoformat()}' and a.received_at < '{cut.isoformat()}'"
    )
    return bool(then)
