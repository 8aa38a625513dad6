-- Who has a kept order and is not excluded stands with the same orders and spend in the month of the shop's last day, and
-- nobody else does. That month has nobody where all customers have given everything back in an earlier one.
with dim_customers as (

    select * from {{ ref('dim_customers') }}

),

customer_months as (

    select * from {{ ref('fct_customer_months') }}

),

customers as (

    select
        shop_id,
        person_id,
        kept_orders as orders,
        spent_minor,
        recency_days
    from dim_customers
    where excluded_reason is null and kept_orders > 0

),

running as (

    select
        shop_id,
        {{ first_day_of('month', 'max(as_of_date)') }} as month
    from dim_customers
    group by shop_id

),

months as (

    select
        customer_months.shop_id,
        customer_months.person_id,
        customer_months.orders,
        customer_months.spent_minor,
        customer_months.recency_days
    from customer_months
    inner join running on customer_months.shop_id = running.shop_id and customer_months.month >= running.month

)

{{ unequal('customers', 'months', ['shop_id', 'person_id'], ['orders', 'spent_minor', 'recency_days']) }}
