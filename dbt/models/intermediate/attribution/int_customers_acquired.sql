{{ config(post_hook="{{ keep_changed_acquisitions() }}") }}

with orders as (

    select * from {{ ref('fct_orders') }}

),

kept as (

    select * from {{ ref('int_customer_orders_kept') }}

),

excluded as (

    select * from {{ ref('int_persons_excluded') }}

),

numbered as (

    select
        orders.shop_id,
        orders.order_id,
        row_number() over (partition by orders.shop_id, orders.person_id order by orders.order_number) as place
    from orders
    inner join kept on orders.shop_id = kept.shop_id and orders.order_id = kept.order_id
    left join excluded on orders.shop_id = excluded.shop_id and orders.person_id = excluded.person_id
    where kept.kept_until is null and excluded.person_id is null

)

select
    shop_id,
    order_id
from numbered
where place = 1
