-- Weekly and monthly cohorts hold every customer once, and periods that are over hold the money and orders of their days.
with cohorts as (

    select * from {{ ref('fct_cohorts') }}

),

dim_customers as (

    select * from {{ ref('dim_customers') }}

),

fct_orders as (

    select * from {{ ref('fct_orders') }}

),

fct_refunds as (

    select * from {{ ref('fct_refunds') }}

),

orders_kept as (

    select * from {{ ref('int_customer_orders_kept') }}

),

customers as (

    select
        shop_id,
        person_id
    from dim_customers
    where excluded_reason is null and kept_orders > 0

),

sold as (

    select
        fct_orders.shop_id,
        fct_orders.order_id,
        fct_orders.paid_date,
        fct_orders.paid_minor
    from fct_orders
    inner join customers on fct_orders.shop_id = customers.shop_id and fct_orders.person_id = customers.person_id
    inner join orders_kept
        on fct_orders.shop_id = orders_kept.shop_id
        and fct_orders.order_id = orders_kept.order_id
        and orders_kept.kept_until is null

),

flows as (

    select
        shop_id,
        paid_date as flow_date,
        1 as orders,
        coalesce(paid_minor, 0) as net_minor
    from sold
    union all
    select
        sold.shop_id,
        greatest(sold.paid_date, fct_refunds.refunded_date) as flow_date,
        0 as orders,
        -coalesce(fct_refunds.counted_minor, 0) as net_minor
    from sold
    inner join fct_refunds on sold.shop_id = fct_refunds.shop_id and sold.order_id = fct_refunds.order_id

),

by_period as (

    select
        shop_id,
        period,
        period_date,
        min(is_over) as is_over,
        sum(orders) as orders,
        sum(net_minor) as net_minor,
        sum(case when period_number = 0 then customers else 0 end) as customers
    from cohorts
    group by shop_id, period, period_date

),

flows_by_period as (

    {% for period in ('week', 'month') %}
        select
            shop_id,
            '{{ period }}' as period,
            {{ first_day_of(period, 'flow_date') }} as period_date,
            sum(orders) as orders,
            sum(net_minor) as net_minor
        from flows
        group by shop_id, {{ first_day_of(period, 'flow_date') }}
        {{ 'union all' if not loop.last }}
    {% endfor %}

),

of_cohorts as (

    select
        shop_id,
        period,
        cast(period_date as string) as part,
        orders,
        net_minor,
        0 as customers
    from by_period
    where is_over
    union all
    select
        shop_id,
        period,
        'all' as part,
        0 as orders,
        0 as net_minor,
        sum(customers) as customers
    from by_period
    group by shop_id, period

),

of_days as (

    select
        flows_by_period.shop_id,
        flows_by_period.period,
        cast(flows_by_period.period_date as string) as part,
        flows_by_period.orders,
        flows_by_period.net_minor,
        0 as customers
    from flows_by_period
    left join by_period
        on flows_by_period.shop_id = by_period.shop_id
        and flows_by_period.period = by_period.period
        and flows_by_period.period_date = by_period.period_date
    where by_period.is_over is null or by_period.is_over
    {% for period in ('week', 'month') %}
        union all
        select
            shop_id,
            '{{ period }}' as period,
            'all' as part,
            0 as orders,
            0 as net_minor,
            count(*) as customers
        from customers
        group by shop_id
    {% endfor %}

)

{{ unequal('of_cohorts', 'of_days', ['shop_id', 'period', 'part'], ['orders', 'net_minor', 'customers']) }}
