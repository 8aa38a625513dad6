-- An hour is missed when nobody was there in it though its weekday had 16 persons or more in it: the median of the eight weeks
-- before, four of them known, with more than 3 in all of these but one. An hour that a clock skips is none. Persons count, for
-- events come in visits, of which an hour may have none by chance.
with days as (

    select * from {{ ref('int_shop_days_spined') }}

),

events as (

    select * from {{ ref('stg_lake__events') }}

),

-- A clock of Kathmandu begins its hours a quarter past those of UTC.
newest as (

    select
        shop_id,
        time_zone,
        max(shop_date) as newest_date,
        max(cast(extract(minute from local_as_of) as integer) - cast(extract(minute from as_of_at) as integer)) as minutes_ahead
    from days
    group by shop_id, time_zone

),

complete_days as (

    select
        days.shop_id,
        days.shop_date,
        days.time_zone,
        days.shop_date > {{ days_later('newest.newest_date', '-' ~ var('quality_days')) }} as is_looked_at
    from days
    inner join newest on days.shop_id = newest.shop_id
    where
        days.is_complete
        and days.shop_date > {{ days_later('newest.newest_date', '-56 - ' ~ var('quality_days')) }}

),

hours as (

    {% for hour in range(24) %}
        select {{ hour }} as hour
        {{ 'union all' if not loop.last }}
    {% endfor %}

),

-- By the instants at which hours begin first: few are then moved into a time zone.
utc_hours as (

    select
        events.shop_id,
        date_trunc('hour', events.occurred_at + interval '1' minute * newest.minutes_ahead)
        - interval '1' minute * newest.minutes_ahead as began_at,
        count(distinct events.person_id) as persons
    from events
    inner join newest on events.shop_id = newest.shop_id
    where
        events.person_id is not null
        and events.occurred_date > {{ days_later('newest.newest_date', '-56 - ' ~ var('quality_days')) }}
    group by
        events.shop_id,
        date_trunc('hour', events.occurred_at + interval '1' minute * newest.minutes_ahead)
        - interval '1' minute * newest.minutes_ahead

),

local_hours as (

    select
        utc_hours.shop_id,
        {{ local_time('utc_hours.began_at', 'newest.time_zone') }} as local_at,
        utc_hours.persons
    from utc_hours
    inner join newest on utc_hours.shop_id = newest.shop_id

),

counted as (

    select
        shop_id,
        cast(local_at as date) as shop_date,
        cast(extract(hour from local_at) as integer) as hour,
        sum(persons) as persons
    from local_hours
    group by shop_id, cast(local_at as date), cast(extract(hour from local_at) as integer)

),

day_hours as (

    select
        complete_days.shop_id,
        complete_days.shop_date,
        complete_days.time_zone,
        complete_days.is_looked_at,
        hours.hour,
        cast(coalesce(counted.persons, 0) as double) as persons
    from complete_days
    cross join hours
    left join counted
        on complete_days.shop_id = counted.shop_id
        and complete_days.shop_date = counted.shop_date
        and hours.hour = counted.hour

),

empty_hours as (

    select
        *,
        cast(shop_date as timestamp) + interval '1' hour * hour as local_at
    from day_hours
    where is_looked_at and persons = 0

),

weeks as (

    {% for weeks in range(1, 9) %}
        select {{ 7 * weeks }} as days
        {{ 'union all' if not loop.last }}
    {% endfor %}

),

dates as (

    select
        empty_hours.shop_id,
        empty_hours.shop_date,
        empty_hours.hour,
        cast({{ days_later('empty_hours.shop_date', '-weeks.days') }} as date) as earlier_date
    from empty_hours
    cross join weeks
    where
        {{ local_time(instant_of('empty_hours.local_at', 'empty_hours.time_zone'), 'empty_hours.time_zone') }}
        = empty_hours.local_at

)

select
    dates.shop_id,
    dates.shop_date,
    dates.hour,
    median(day_hours.persons) as usual
from dates
inner join day_hours
    on dates.shop_id = day_hours.shop_id
    and dates.earlier_date = day_hours.shop_date
    and dates.hour = day_hours.hour
group by dates.shop_id, dates.shop_date, dates.hour
having
    count(*) >= 4
    and median(day_hours.persons) >= 16
    and count(case when day_hours.persons < 4 then 1 end) <= 1
