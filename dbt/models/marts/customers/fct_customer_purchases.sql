with orders as (

    select * from {{ ref('int_customer_orders_kept') }}

),

excluded as (

    select * from {{ ref('int_persons_excluded') }}

),

shops as (

    select * from {{ ref('int_shops_dated') }}

),

days as (

    select
        orders.shop_id,
        orders.person_id,
        orders.paid_date as purchase_date,
        cast(count(*) as bigint) as orders,
        case when count(orders.net_minor) = count(*) then {{ sum_minor('orders.net_minor') }} end as net_minor
    from orders
    left join excluded on orders.shop_id = excluded.shop_id and orders.person_id = excluded.person_id
    where orders.kept_until is null and excluded.person_id is null
    group by orders.shop_id, orders.person_id, orders.paid_date

)

select
    days.shop_id,
    days.person_id,
    days.purchase_date,
    shops.as_of_date,
    cast(row_number() over (partition by days.shop_id, days.person_id order by days.purchase_date) as bigint)
        as purchase_number,
    days.orders,
    days.net_minor
from days
inner join shops on days.shop_id = shops.shop_id
