-- Who has a kept order and is not excluded stands in the running month with the same orders and spend, and nobody else does.
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

newest as (

    select
        shop_id,
        max(month) as month
    from customer_months
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
    inner join newest on customer_months.shop_id = newest.shop_id and customer_months.month = newest.month

)

{{ unequal('customers', 'months', ['shop_id', 'person_id'], ['orders', 'spent_minor', 'recency_days']) }}
