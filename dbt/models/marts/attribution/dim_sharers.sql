with links as (

    select * from {{ ref('int_share_links_named') }}

),

sessions as (

    select * from {{ ref('fct_sessions') }}

),

exclusions as (

    select * from {{ ref('stg_lake__customer_exclusions') }}

),

sharers as (

    select
        shop_id,
        sharer_id,
        cast(count(*) as bigint) as links,
        min(known_since_at) as first_shared_at,
        max(known_since_at) as last_shared_at
    from links
    group by shop_id, sharer_id

),

brought as (

    select
        links.shop_id,
        links.sharer_id,
        cast(count(*) as bigint) as visits,
        cast(count(distinct sessions.person_id) as bigint) as visitors
    from links
    inner join sessions on links.shop_id = sessions.shop_id and links.share_id = sessions.share_id
    where sessions.is_visit and not sessions.is_bot and sessions.person_id <> links.sharer_id
    group by links.shop_id, links.sharer_id

),

ruled as (

    select
        sharers.shop_id,
        sharers.sharer_id,
        exclusions.reason,
        row_number() over (partition by sharers.shop_id, sharers.sharer_id order by exclusions.rule_number) as place
    from sharers
    inner join exclusions
        on sharers.shop_id = exclusions.shop_id
        and ({{ rule_means('exclusions', 'sharers.sharer_id') }})

)

select
    sharers.shop_id,
    sharers.sharer_id,
    coalesce(ruled.reason, 'customer') as kind,
    sharers.links,
    coalesce(brought.visits, 0) as visits,
    coalesce(brought.visitors, 0) as visitors,
    sharers.first_shared_at,
    sharers.last_shared_at
from sharers
left join brought on sharers.shop_id = brought.shop_id and sharers.sharer_id = brought.sharer_id
left join ruled on sharers.shop_id = ruled.shop_id and sharers.sharer_id = ruled.sharer_id and ruled.place = 1
