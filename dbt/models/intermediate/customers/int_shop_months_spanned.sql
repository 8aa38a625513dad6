{{ config(post_hook="{{ keep_unchanged_months() }}") }}

with shops as (

    select * from {{ ref('int_shops_dated') }}

),

orders as (

    select * from {{ ref('int_customer_orders_kept') }}

),

offsets as (

    select * from {{ ref('int_offsets_counted') }}

),

first_months as (

    select
        shop_id,
        {{ first_day_of('month', 'min(paid_date)') }} as first_month
    from orders
    group by shop_id

),

months as (

    select
        shops.shop_id,
        shops.as_of_date,
        {{ months_later('first_months.first_month', 'offsets.periods') }} as month
    from shops
    inner join first_months on shops.shop_id = first_months.shop_id
    cross join offsets

),

ended as (

    select
        *,
        cast({{ days_later(months_later('month', 1), -1) }} as date) as last_date
    from months

)

select
    shop_id,
    month,
    least(last_date, as_of_date) as state_date,
    last_date < as_of_date as is_over,
    {{ first_day_of('month', 'as_of_date') }} = month as is_current
from ended
where month <= as_of_date
