with events as (

    select * from {{ ref('stg_lake__events') }}

),

named as (

    select
        shop_id,
        share_id,
        occurred_at,
        case
            when type = 'item_shared' then person_id
            when substr(shared_by, 1, 2) in ('u:', 'a:') then shared_by
            else concat('u:', shared_by)
        end as sharer_id,
        row_number() over (
            partition by shop_id, share_id
            order by case when type = 'item_shared' then 0 else 1 end, occurred_at, received_at, event_id
        ) as place
    from events
    where
        share_id is not null
        and (type = 'item_shared' or (type = 'share_opened' and shared_by is not null))

)

select
    shop_id,
    share_id,
    sharer_id,
    occurred_at as known_since_at
from named
where place = 1 and sharer_id is not null
