with events as (

    select * from {{ ref('stg_lake__events') }}

),

last_days as (

    select
        shop_id,
        cast(max(occurred_at) as date) as last_date
    from events
    where person_id is not null
    group by shop_id

),

weeks as (

    {% for week in range(9) %}
        select {{ week }} as week
        {{ 'union all' if not loop.last }}
    {% endfor %}

)

select
    last_days.shop_id,
    cast({{ days_later('last_days.last_date', '1 - 7 * weeks.week') }} as timestamp) as event_timestamp
from last_days
cross join weeks
