-- Of days that are over, for as long as a day that is looked at can be compared with. The middle order of a day is known from
-- ten orders on.
{% set measures = ['visitors', 'item_views', 'orders', 'bot_visitors'] %}
with shop_days as (

    select * from {{ ref('fct_shop_days') }}

),

fct_orders as (

    select * from {{ ref('fct_orders') }}

),

newest as (

    select
        shop_id,
        max(shop_date) as newest_date
    from shop_days
    group by shop_id

),

order_values as (

    select
        shop_id,
        paid_date as shop_date,
        case when count(paid_minor) >= 10 then median(cast(paid_minor as double)) end as amount
    from fct_orders
    group by shop_id, paid_date

),

days as (

    select
        shop_days.*,
        order_values.amount as order_value,
        shop_days.shop_date > {{ days_later('newest.newest_date', '-' ~ var('quality_days')) }} as is_looked_at
    from shop_days
    inner join newest on shop_days.shop_id = newest.shop_id
    left join order_values on shop_days.shop_id = order_values.shop_id and shop_days.shop_date = order_values.shop_date
    where
        shop_days.is_complete
        and shop_days.shop_date > {{ days_later('newest.newest_date', '-56 - ' ~ var('quality_days')) }}

)

{% for measure in measures + ['order_value'] %}
    select
        shop_id,
        shop_date,
        is_looked_at,
        '{{ measure }}' as measure,
        cast({{ measure }} as double) as amount
    from days
    where {{ measure }} is not null
    {{ 'union all' if not loop.last }}
{% endfor %}
