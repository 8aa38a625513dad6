{{ config(materialized=incremental_on_duckdb(), pre_hook="{{ delete_where(is_touched_state()) }}") }}

-- What had been paid, kept and paid back by the end of the month, whatever was returned later.
with months as (

    select * from {{ ref('int_shop_months_spanned') }}

),

orders as (

    select * from {{ ref('int_customer_orders_kept') }}

),

refunds as (

    select * from {{ ref('fct_refunds') }}

),

excluded as (

    select * from {{ ref('int_persons_excluded') }}

),

kept as (

    select
        months.shop_id,
        months.month,
        months.state_date,
        orders.person_id,
        min(orders.paid_date) as first_kept_date,
        max(orders.paid_date) as last_kept_date,
        cast(count(*) as bigint) as orders
    from months
    inner join orders
        on months.shop_id = orders.shop_id
        and orders.paid_date <= months.state_date
        and (orders.kept_until is null or orders.kept_until > months.state_date)
    {% if is_incremental() %}where {{ is_touched_state('months', 'orders') }}{% endif %}
    group by months.shop_id, months.month, months.state_date, orders.person_id

),

movements as (

    select
        shop_id,
        person_id,
        paid_date as moved_date,
        paid_minor as moved_minor
    from orders
    where paid_minor is not null
    union all
    select
        orders.shop_id,
        orders.person_id,
        greatest(orders.paid_date, refunds.refunded_date) as moved_date,
        -refunds.counted_minor as moved_minor
    from refunds
    inner join orders on refunds.shop_id = orders.shop_id and refunds.order_id = orders.order_id
    where orders.paid_minor is not null

),

moved as (

    select
        shop_id,
        person_id,
        {{ first_day_of('month', 'moved_date') }} as moved_month,
        {{ sum_minor('moved_minor') }} as moved_minor
    from movements
    group by shop_id, person_id, {{ first_day_of('month', 'moved_date') }}

),

spent as (

    select
        months.shop_id,
        months.month,
        moved.person_id,
        {{ sum_minor('moved.moved_minor') }} as spent_minor
    from months
    inner join moved on months.shop_id = moved.shop_id and moved.moved_month <= months.month
    {% if is_incremental() %}where {{ is_touched_state('months', 'moved') }}{% endif %}
    group by months.shop_id, months.month, moved.person_id

)

select
    kept.shop_id,
    kept.month,
    kept.person_id,
    kept.state_date,
    kept.first_kept_date,
    kept.last_kept_date,
    cast({{ dbt.datediff('kept.last_kept_date', 'kept.state_date', 'day') }} as bigint) as recency_days,
    kept.orders,
    spent.spent_minor
from kept
left join spent
    on kept.shop_id = spent.shop_id
    and kept.month = spent.month
    and kept.person_id = spent.person_id
left join excluded on kept.shop_id = excluded.shop_id and kept.person_id = excluded.person_id
where excluded.person_id is null
