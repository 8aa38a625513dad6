with orders as (

    select * from {{ ref('int_customer_orders_kept') }}

),

shops as (

    select * from {{ ref('int_shops_dated') }}

),

months as (

    select * from {{ ref('int_shop_months_spanned') }}

),

states as (

    select * from {{ ref('int_customer_states_scored') }}

),

excluded as (

    select * from {{ ref('int_persons_excluded') }}

),

segments as (

    select * from {{ ref('dim_segments') }}

),

customers as (

    select
        shop_id,
        person_id,
        min(paid_date) as first_paid_date,
        max(paid_date) as last_paid_date,
        max(case when kept_until is null then paid_date end) as last_kept_date,
        cast(count(*) as bigint) as orders,
        {{ count_where('kept_until is null') }} as kept_orders,
        case when count(net_minor) > 0 then {{ sum_minor('net_minor') }} end as spent_minor
    from orders
    group by shop_id, person_id

),

now as (

    select states.*
    from states
    inner join months on states.shop_id = months.shop_id and states.month = months.month
    where months.is_current

)

select
    customers.shop_id,
    customers.person_id,
    shops.as_of_date,
    excluded.reason as excluded_reason,
    customers.first_paid_date,
    customers.last_paid_date,
    cast({{ dbt.datediff('customers.last_kept_date', 'shops.as_of_date', 'day') }} as bigint) as recency_days,
    customers.orders,
    customers.kept_orders,
    customers.spent_minor,
    now.recency_score,
    now.frequency_score,
    now.monetary_score,
    now.segment,
    rfm.segment_zh,
    now.classic_segment,
    classic.segment_zh as classic_segment_zh,
    now.layer,
    layers.segment_zh as layer_zh
from customers
inner join shops on customers.shop_id = shops.shop_id
left join now on customers.shop_id = now.shop_id and customers.person_id = now.person_id
left join excluded on customers.shop_id = excluded.shop_id and customers.person_id = excluded.person_id
left join segments as rfm on rfm.scheme = 'rfm' and now.segment = rfm.segment
left join segments as classic on classic.scheme = 'classic' and now.classic_segment = classic.segment
left join segments as layers on layers.scheme = 'layer' and now.layer = layers.segment
