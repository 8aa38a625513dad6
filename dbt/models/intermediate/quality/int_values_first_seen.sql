-- Only of shops that have been known for four weeks by then, and of values that make up a twentieth of the day.
with sessions as (

    select * from {{ ref('fct_sessions') }}

),

shops as (

    select
        shop_id,
        min(started_date) as first_date
    from sessions
    where is_visit
    group by shop_id

),

valued as (

    {% for dimension in ('channel', 'device') %}
        select
            shop_id,
            started_date as shop_date,
            '{{ dimension }}' as dimension,
            {{ dimension }} as seen_value
        from sessions
        where is_visit and not is_bot
        {{ 'union all' if not loop.last }}
    {% endfor %}

),

by_day as (

    select
        shop_id,
        shop_date,
        dimension,
        seen_value,
        count(*) as sessions,
        min(shop_date) over (partition by shop_id, dimension, seen_value) as first_date,
        sum(count(*)) over (partition by shop_id, dimension, shop_date) as of_sessions
    from valued
    group by shop_id, shop_date, dimension, seen_value

)

select
    by_day.shop_id,
    by_day.shop_date,
    by_day.dimension,
    max(by_day.seen_value) as seen_value,
    cast(sum(by_day.sessions) as double) as sessions
from by_day
inner join shops on by_day.shop_id = shops.shop_id
where
    by_day.seen_value is not null
    and by_day.shop_date = by_day.first_date
    and by_day.shop_date >= {{ days_later('shops.first_date', 28) }}
    and by_day.sessions >= 5
    and 20 * by_day.sessions >= by_day.of_sessions
group by by_day.shop_id, by_day.shop_date, by_day.dimension
