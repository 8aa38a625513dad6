"""The SQL of one build (DuckDB): records of some days → good answers, quarantine, and a row for each place with its outcome.

The views ``landed`` (``BRONZE_DECISIONS``) and ``recommendation_events`` (of ``SILVER_EVENTS``), and the tables ``shops`` and
``days`` (column ``day``) are there.
A day is rebuilt whole, from all records of it; of records with the same answer the one that the lake knew first counts.
"""

from __future__ import annotations

MOST_ITEMS = 1_000
CLOCKS_DIFFER_MS = 3_600_000  # serving stamps the answer and the broker the record, which waits for it a minute at most
_SHAPE = """{
    "request_id": "VARCHAR", "shop_id": "VARCHAR", "answered_at_ms": "BIGINT", "placement": "VARCHAR", "item_id": "VARCHAR",
    "is_person_named": "BOOLEAN", "is_opted_out": "BOOLEAN",
    "visit": {"channel": "VARCHAR", "device": "VARCHAR", "place": "VARCHAR"}, "served_by": "VARCHAR", "model": "VARCHAR",
    "model_version": "VARCHAR", "items": ["VARCHAR"], "scores": ["DOUBLE"], "reasons": ["VARCHAR"], "rules_version": "BIGINT",
    "touched_by_rules": "MAP(VARCHAR, JSON)", "arm": "VARCHAR", "propensity": "DOUBLE",
    "exploration": {"policy": "VARCHAR", "slot": "INTEGER", "probability": "DOUBLE", "eligible": "MAP(VARCHAR, DOUBLE)"}
}"""

# Records of the days, and those of other days that are of the same answers, each parsed.
READ = f"""
create temp view read as
with answers as (select distinct shop_id, request_id from landed where cast(logged_at as date) in (select day from days)),
records as (
    select landed.*, cast(logged_at as date) as day
    from landed
    where cast(logged_at as date) in (select day from days)
        or (shop_id, request_id) in (select (shop_id, request_id) from answers)
)
select
    records.* exclude (line),
    json_transform(case when json_valid(line) and json_type(line) = 'OBJECT' then line end, '{_SHAPE}') as d
from records
"""

# The first thing that is wrong with a record, as reason and field; null for a good one.
JUDGED = f"""
create temp table judged as
with faults as (
    select
        read.*,
        d.exploration.eligible[d.items[d.exploration.slot + 1]] as chance,
        case
            when read.shop_id is null then ['bad_key', 'key']
            when d is null then ['not_json', null]
            when d.shop_id is distinct from read.shop_id then ['other_key', 'shop_id']
            when d.request_id is distinct from read.request_id then ['other_key', 'request_id']
            when read.shop_id not in (select shop_id from shops) then ['unknown_shop', 'shop_id']
            when d.answered_at_ms is null
                or abs(d.answered_at_ms - epoch_ms(logged_at)) > {CLOCKS_DIFFER_MS} then ['bad_value', 'answered_at_ms']
            when d.placement is null or len(d.placement) not between 1 and 64 then ['bad_value', 'placement']
            when d.items is null or len(d.items) > {MOST_ITEMS} or len(list_distinct(d.items)) < len(d.items)
                then ['bad_value', 'items']
            when d.scores is null or len(list_filter(d.scores, lambda x: isfinite(x))) <> len(d.items)
                then ['bad_value', 'scores']
            when d.reasons is null or len(list_filter(d.reasons, lambda x: x is not null)) <> len(d.items)
                then ['bad_value', 'reasons']
            when d.served_by is null then ['bad_value', 'served_by']
            when d.model is null then ['bad_value', 'model']
            when d.model_version is null then ['bad_value', 'model_version']
            when d.arm is null or not (d.arm in ('explored', 'ranked') or starts_with(d.arm, 'tried_'))
                then ['bad_value', 'arm']
            when d.propensity is null or not (d.propensity > 0 and d.propensity <= 1) then ['bad_value', 'propensity']
        end as fault
    from read
),
explored as (
    select
        *,
        case
            when fault is not null then fault
            when d.arm = 'explored' and (
                d.exploration.slot is null or d.exploration.slot not between 0 and len(d.items) - 1
                or d.exploration.probability is null or chance is null or not chance > 0
                or len(list_filter(map_values(d.exploration.eligible), lambda x: x between 0 and 1))
                <> cardinality(d.exploration.eligible)
            ) then ['bad_value', 'exploration']
            when abs(d.propensity - case
                when d.arm = 'explored' then d.exploration.probability * chance
                else 1 - coalesce(d.exploration.probability, 0)
            end) > 1e-6 then ['bad_value', 'propensity']
        end as problem
    from faults
)
select explored.* exclude (fault, chance) from explored
"""

# Of good records of the same answer those that the lake knew later.
REPEATED = """
create temp table repeated as
with good as (
    select day, logged_at, log_partition, log_offset, row_number() over (
        partition by shop_id, request_id order by landed_at, log_partition, log_offset
    ) as delivery
    from judged
    where problem is null
)
select * exclude (delivery) from good where delivery > 1
"""

QUARANTINE = """
with kept_out as (
    select day, logged_at, log_partition, log_offset, problem[1] as reason, problem[2] as field
    from judged
    where problem is not null
    union all
    select *, 'repeated', 'request_id' from repeated
)
select logged_at, log_partition, log_offset, shop_id, request_id, reason, field, line
from kept_out
inner join landed using (logged_at, log_partition, log_offset)
where day = $day
order by log_partition, log_offset, logged_at
"""

# What pages said of the answers; a list that is reported again counts at its first time, as in the recommendations mart.
OUTCOMES = """
create temp table acts as
select shop_id, event_id, type, person_id, occurred_at, placement, request_id, item_ids, item_id
from recommendation_events
where (shop_id, request_id) in (
    select (shop_id, request_id) from judged where problem is null and day in (select day from days)
);
create temp table shown_to as
select shop_id, request_id, arg_min(person_id, (occurred_at, event_id)) as person_id
from acts
where type = 'recommendation_shown' and person_id is not null
group by all;
create temp table outcomes as
with lists as (
    select shop_id, request_id, placement, occurred_at, unnest(item_ids) as item_id
    from acts
    where type = 'recommendation_shown'
),
shown as (
    select shop_id, request_id, placement, item_id, min(occurred_at) as shown_at
    from lists
    group by all
),
clicked as (
    select shown.shop_id, shown.request_id, shown.item_id, min(acts.occurred_at) as clicked_at
    from shown
    inner join acts using (shop_id, request_id, placement, item_id)
    where acts.type = 'recommendation_clicked' and acts.occurred_at >= shown.shown_at
    group by all
)
select shop_id, request_id, item_id, min(shown_at) as shown_at, min(clicked_at) as clicked_at
from shown
left join clicked using (shop_id, request_id, item_id)
group by all
"""

PLACES = """
with answers as (
    select *, d.exploration.slot + 1 as slot
    from judged
    anti join repeated using (logged_at, log_partition, log_offset)
    where problem is null and day = $day
),
places as (
    select
        shop_id, request_id, logged_at, slot, d.answered_at_ms, d.placement, d.item_id as page_item_id, d.is_person_named,
        d.is_opted_out, d.visit, d.served_by, d.model, d.model_version, d.rules_version, d.arm, d.propensity,
        d.exploration.probability, d.exploration.policy,
        unnest(case when len(d.items) = 0 then [0] else range(1, len(d.items) + 1) end) as place,
        unnest(case when len(d.items) = 0 then [null] else d.items end) as item_id,
        unnest(case when len(d.items) = 0 then [null] else d.scores end) as score,
        unnest(case when len(d.items) = 0 then [null] else d.reasons end) as reason
    from answers
),
ruled as (select shop_id, request_id, unnest(map_entries(d.touched_by_rules)) as touched from answers),
explorable as (
    select shop_id, request_id, slot as place, cast(to_json(d.exploration.eligible) as varchar) as eligible
    from answers
    where d.exploration.eligible is not null
)
select
    places.shop_id,
    places.request_id,
    cast(places.place as integer) as place,
    places.logged_at,
    make_timestamp(answered_at_ms * 1000) as answered_at,
    placement,
    page_item_id,
    is_person_named,
    is_opted_out,
    visit.channel,
    visit.device,
    visit.place as region,
    served_by,
    model,
    model_version,
    rules_version,
    cast(ruled.touched.value as varchar) as rules,
    places.item_id,
    reason,
    score,
    case when places.place = slot or starts_with(arm, 'tried_') then arm else 'ranked' end as arm,
    case when places.place = slot then propensity else 1.0 end as propensity,
    case when places.place = slot then probability end as explore_probability,
    case when places.place = slot then policy end as policy,
    eligible,
    shown_to.person_id,
    outcomes.shown_at,
    outcomes.clicked_at
from places
left join ruled
    on places.shop_id = ruled.shop_id and places.request_id = ruled.request_id and places.item_id = ruled.touched.key
left join explorable
    on places.shop_id = explorable.shop_id and places.request_id = explorable.request_id and places.place = explorable.place
left join shown_to on places.shop_id = shown_to.shop_id and places.request_id = shown_to.request_id
left join outcomes
    on places.shop_id = outcomes.shop_id and places.request_id = outcomes.request_id and places.item_id = outcomes.item_id
order by places.shop_id, places.request_id, places.place
"""
