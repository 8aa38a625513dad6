{{ config(materialized=incremental_on_duckdb(), pre_hook="{{ delete_where(is_of_touched_credit()) }}") }}

with touchpoints as (

    select * from {{ ref('fct_touchpoints') }}

),

weights as (

    select * from {{ ref('int_touch_weights_set') }}
    {% if is_incremental() %}where {{ is_of_touched_credit() }}{% endif %}

),

orders as (

    select * from {{ ref('fct_orders') }}

),

acquired as (

    select * from {{ ref('int_customers_acquired') }}

),

weighted as (

    select
        weights.shop_id,
        weights.order_id,
        weights.model,
        weights.touch_number,
        weights.weight,
        sum(weights.weight) over (partition by weights.shop_id, weights.order_id, weights.model) as total,
        orders.paid_date,
        orders.net_minor,
        acquired.order_id is not null as is_first_kept_order
    from weights
    inner join orders on weights.shop_id = orders.shop_id and weights.order_id = orders.order_id
    left join acquired on weights.shop_id = acquired.shop_id and weights.order_id = acquired.order_id

),

parts as (

    select
        *,
        1000000 as one_order,
        {{ share_rounded_down('net_minor', 'weight', 'total') }} as rounded_down,
        {{ share_remainder('net_minor', 'weight', 'total') }} as remainder,
        {{ share_rounded_down('1000000', 'weight', 'total') }} as millionths_rounded_down,
        {{ share_remainder('1000000', 'weight', 'total') }} as millionths_remainder
    from weighted

),

shares as (

    select
        *,
        {{ share('net_minor', 'rounded_down', 'remainder', ['shop_id', 'order_id', 'model'], 'touch_number') }} as share_minor,
        {{ share(
            'one_order', 'millionths_rounded_down', 'millionths_remainder', ['shop_id', 'order_id', 'model'], 'touch_number'
        ) }} as share_millionths
    from parts

)

select
    shares.shop_id,
    shares.order_id,
    shares.model,
    shares.touch_number,
    shares.paid_date,
    touchpoints.touched_at,
    touchpoints.origin,
    touchpoints.channel,
    touchpoints.campaign,
    touchpoints.sharer_id,
    cast(shares.share_millionths as bigint) as credit_millionths,
    cast(case when shares.net_minor is not null then shares.share_minor end as bigint) as net_minor,
    shares.is_first_kept_order
from shares
inner join touchpoints
    on shares.shop_id = touchpoints.shop_id
    and shares.order_id = touchpoints.order_id
    and shares.touch_number = touchpoints.touch_number
