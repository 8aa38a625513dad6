-- Customers have, together, the orders of the persons that are known: as many, as much money, as many first ones as customers.
with dim_customers as (

    select * from {{ ref('dim_customers') }}

),

fct_orders as (

    select * from {{ ref('fct_orders') }}

),

customers as (

    select
        shop_id,
        count(*) as customers,
        sum(orders) as orders,
        sum(spent_minor) as spent_minor,
        sum(orders - 1) as repeats
    from dim_customers
    group by shop_id

),

by_orders as (

    select
        shop_id,
        count(distinct person_id) as customers,
        count(*) as orders,
        sum(paid_minor - refunded_minor) as spent_minor,
        sum(case when is_repeat then 1 else 0 end) as repeats
    from fct_orders
    where person_id is not null
    group by shop_id

)

{{ unequal('customers', 'by_orders', ['shop_id'], ['customers', 'orders', 'spent_minor', 'repeats']) }}
