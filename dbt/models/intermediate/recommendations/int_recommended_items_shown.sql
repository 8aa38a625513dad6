-- A list that is reported again, and an item that is in it twice, count once: at the first time and the first place.
with lists as (

    select * from {{ ref('stg_lake__recommendations_shown') }}

),

bots as (

    select * from {{ ref('int_bots_labelled') }}

),

placed as (

    select
        lists.*,
        {{ each_place('lists.item_ids') }} as place
    from lists
    left join bots on lists.shop_id = bots.shop_id and lists.person_id = bots.person_id
    where {{ 'size' if target.type == 'spark' else 'len' }}(lists.item_ids) > 0 and bots.person_id is null

),

named as (

    select
        shop_id,
        event_id,
        person_id,
        shown_at,
        shown_date,
        request_id,
        placement,
        model_version,
        place,
        {{ at_place('item_ids', 'place') }} as item_id,
        {{ at_place('reasons', 'place') }} as reason,
        case is_person_known when 'true' then 'known' when 'false' then 'new' else 'unknown' end as person_kind
    from placed

),

numbered as (

    select
        *,
        row_number() over (
            partition by shop_id, request_id, placement, item_id order by shown_at, event_id, place
        ) as showing
    from named

)

select
    shop_id,
    request_id,
    placement,
    item_id,
    cast(place as bigint) as place,
    person_id,
    shown_at,
    shown_date,
    model_version,
    reason,
    person_kind
from numbered
where showing = 1
