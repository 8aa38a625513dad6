-- Money and orders that were not kept are in no cohort; what came back of the others counts in the period of its return. All
-- that happens in a period is null until the period is over, and amounts of orders or refunds of which none has a rate.
{%- set so_far -%}
    over (
        partition by periods.period, periods.shop_id, periods.cohort_date
        order by periods.period_number
        rows between unbounded preceding and current row
    )
{%- endset %}
with orders as (

    select * from {{ ref('int_customer_orders_kept') }}

),

refunds as (

    select * from {{ ref('fct_refunds') }}

),

excluded as (

    select * from {{ ref('int_persons_excluded') }}

),

shops as (

    select * from {{ ref('int_shops_dated') }}

),

offsets as (

    select * from {{ ref('int_offsets_counted') }}

),

kept as (

    select
        orders.shop_id,
        orders.order_id,
        orders.person_id,
        orders.paid_date,
        orders.paid_minor,
        min(orders.paid_date) over (partition by orders.shop_id, orders.person_id) as first_date
    from orders
    left join excluded on orders.shop_id = excluded.shop_id and orders.person_id = excluded.person_id
    where orders.kept_until is null and excluded.person_id is null

),

movements as (

    select
        shop_id,
        person_id,
        first_date,
        paid_date as moved_date,
        1 as orders,
        0 as refunds,
        paid_minor,
        null as refunded_minor
    from kept
    union all
    select
        kept.shop_id,
        kept.person_id,
        kept.first_date,
        greatest(kept.paid_date, refunds.refunded_date) as moved_date,
        0 as orders,
        1 as refunds,
        null as paid_minor,
        refunds.counted_minor as refunded_minor
    from refunds
    inner join kept on refunds.shop_id = kept.shop_id and refunds.order_id = kept.order_id

),

dated as (

    {% for period in ('week', 'month') %}
        select
            '{{ period }}' as period,
            shop_id,
            person_id,
            {{ first_day_of(period, 'first_date') }} as cohort_date,
            {{ first_day_of(period, 'moved_date') }} as period_date,
            orders,
            refunds,
            paid_minor,
            refunded_minor
        from movements
        {{ 'union all' if not loop.last }}
    {% endfor %}

),

happened as (

    select
        period,
        shop_id,
        cohort_date,
        period_date,
        cast(count(distinct case when orders = 1 then person_id end) as bigint) as active_customers,
        cast(sum(orders) as bigint) as orders,
        {{ count_where('orders = 1 and paid_minor is null') }} as orders_without_rate,
        cast(sum(refunds) as bigint) as refunds,
        {{ sum_known_minor('paid_minor') }} as paid_minor,
        {{ sum_known_minor('refunded_minor') }} as refunded_minor
    from dated
    group by period, shop_id, cohort_date, period_date

),

cohorts as (

    select
        period,
        shop_id,
        cohort_date,
        cast(count(distinct person_id) as bigint) as customers
    from dated
    group by period, shop_id, cohort_date

),

periods as (

    select
        cohorts.period,
        cohorts.shop_id,
        cohorts.cohort_date,
        cohorts.customers,
        shops.as_of_date,
        offsets.periods as period_number,
        case
            when cohorts.period = 'week' then cast({{ days_later('cohorts.cohort_date', '7 * offsets.periods') }} as date)
            else {{ months_later('cohorts.cohort_date', 'offsets.periods') }}
        end as period_date,
        case
            when cohorts.period = 'week' then cast({{ days_later('cohorts.cohort_date', '7 * (offsets.periods + 1)') }} as date)
            else {{ months_later('cohorts.cohort_date', 'offsets.periods + 1') }}
        end as next_date
    from cohorts
    inner join shops on cohorts.shop_id = shops.shop_id
    inner join offsets
        on offsets.periods <= {{ dbt.datediff('cohorts.cohort_date', 'shops.as_of_date', 'day') }} / 7

),

filled as (

    select
        periods.*,
        periods.next_date <= periods.as_of_date as is_over,
        coalesce(happened.active_customers, 0) as active_customers,
        coalesce(happened.orders, 0) as orders,
        coalesce(happened.orders_without_rate, 0) as orders_without_rate,
        case when happened.orders > 0 then happened.paid_minor else 0 end as paid_minor,
        case when happened.refunds > 0 then happened.refunded_minor else 0 end as refunded_minor,
        case
            when happened.shop_id is null or coalesce(happened.paid_minor, happened.refunded_minor) is not null
                then coalesce(happened.paid_minor, 0) - coalesce(happened.refunded_minor, 0)
        end as net_minor,
        case
            when count(happened.paid_minor) {{ so_far }} > 0
                then sum(coalesce(happened.paid_minor, 0) - coalesce(happened.refunded_minor, 0)) {{ so_far }}
        end as net_so_far_minor
    from periods
    left join happened
        on periods.period = happened.period
        and periods.shop_id = happened.shop_id
        and periods.cohort_date = happened.cohort_date
        and periods.period_date = happened.period_date
    where periods.period_date <= periods.as_of_date

)

select
    shop_id,
    period,
    cohort_date,
    period_number,
    period_date,
    as_of_date,
    is_over,
    customers,
    case when is_over then active_customers end as active_customers,
    case when is_over then cast(active_customers as double) / customers end as retention,
    case when is_over then orders end as orders,
    case when is_over then orders_without_rate end as orders_without_rate,
    cast(case when is_over then paid_minor end as decimal(38, 0)) as paid_minor,
    cast(case when is_over then refunded_minor end as decimal(38, 0)) as refunded_minor,
    cast(case when is_over then net_minor end as decimal(38, 0)) as net_minor,
    cast(case when is_over then net_so_far_minor end as decimal(38, 0)) as net_so_far_minor,
    case when is_over then cast(net_so_far_minor as double) / customers end as net_per_customer_minor
from filled
