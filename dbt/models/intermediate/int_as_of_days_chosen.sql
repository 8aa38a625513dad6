{{ config(post_hook="{{ keep_as_of_days() }}") }}

-- The newest midnight, and Mondays: what was known at a midnight that stays chosen for weeks is not summed up again every day.
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

    {% for week in range(8) %}
        select {{ week }} as week
        {{ 'union all' if not loop.last }}
    {% endfor %}

)

select
    shop_id,
    cast({{ days_later('last_date', 1) }} as timestamp) as event_timestamp
from last_days
union all
select
    last_days.shop_id,
    cast({{ days_later(first_day_of('week', 'last_days.last_date'), '-7 * weeks.week') }} as timestamp) as event_timestamp
from last_days
cross join weeks
