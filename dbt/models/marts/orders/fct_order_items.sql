{{ config(materialized=incremental_on_duckdb(), pre_hook="{{ delete_where(is_touched('orders')) }}") }}

-- An order's own discount and its refunds, allotted to its items to the last unit. Goods take them before the shipping does;
-- a refund that names items is theirs first.
with order_lines as (

    select * from {{ now_written(ref('int_order_lines_valued')) }}

),

orders as (

    select * from {{ now_written(ref('fct_orders')) }}

),

refund_lines as (

    select * from {{ ref('stg_lake__refund_lines') }}
    {{ where_touched('orders') }}

),

items as (

    select
        shop_id,
        order_id,
        item_id,
        cast(sum(quantity) as bigint) as units,
        cast(sum(gross_minor) as bigint) as gross_minor,
        cast(sum(discount_minor) as bigint) as line_discount_minor,
        cast(sum(net_minor) as bigint) as net_minor
    from order_lines
    group by shop_id, order_id, item_id

),

with_own_discount as (

    select
        items.shop_id,
        items.order_id,
        items.item_id,
        items.net_minor,
        orders.order_discount_minor as amount,
        sum(items.net_minor) over (partition by items.shop_id, items.order_id) as total
    from items
    inner join orders on items.shop_id = orders.shop_id and items.order_id = orders.order_id
    where orders.order_discount_minor > 0

),

discount_parts as (

    select
        shop_id,
        order_id,
        item_id,
        amount,
        {{ share_rounded_down('amount', 'net_minor', 'total') }} as rounded_down,
        {{ share_remainder('amount', 'net_minor', 'total') }} as remainder
    from with_own_discount

),

discount_shares as (

    select
        shop_id,
        order_id,
        item_id,
        {{ share('amount', 'rounded_down', 'remainder', ['shop_id', 'order_id'], 'item_id') }} as order_discount_minor
    from discount_parts

),

named as (

    select
        shop_id,
        order_id,
        item_id,
        {{ sum_minor('counted_minor') }} as named_minor,
        {{ sum_minor('quantity') }} as refunded_units
    from refund_lines
    where outcome in ('counted', 'over_refund')
    group by shop_id, order_id, item_id

),

refunded as (

    select
        items.shop_id,
        items.order_id,
        items.item_id,
        orders.refunded_minor as order_refunded_minor,
        greatest(0, items.net_minor - coalesce(discount_shares.order_discount_minor, 0)) as revenue_minor,
        least(
            greatest(0, items.net_minor - coalesce(discount_shares.order_discount_minor, 0)),
            case
                when named.named_minor is null then 0
                else coalesce(
                    {{ times_ratio('named.named_minor', 'orders.paid_minor', 'orders.paid_in_currency_minor') }}, 0
                )
            end
        ) as named_minor
    from items
    inner join orders on items.shop_id = orders.shop_id and items.order_id = orders.order_id
    left join discount_shares
        on items.shop_id = discount_shares.shop_id
        and items.order_id = discount_shares.order_id
        and items.item_id = discount_shares.item_id
    left join named
        on items.shop_id = named.shop_id and items.order_id = named.order_id and items.item_id = named.item_id
    where orders.refunded_minor > 0

),

refund_sums as (

    select
        *,
        least(order_refunded_minor, sum(revenue_minor) over (partition by shop_id, order_id)) as goods_refunded_minor,
        sum(named_minor) over (partition by shop_id, order_id) as all_named_minor
    from refunded

),

-- What is named is kept when the refunds hold it all; what they hold beyond it goes by what is left of each item.
refund_weights as (

    select
        shop_id,
        order_id,
        item_id,
        case when all_named_minor <= goods_refunded_minor then named_minor else 0 end as kept_minor,
        case when all_named_minor <= goods_refunded_minor then revenue_minor - named_minor else named_minor end as weight,
        goods_refunded_minor - case when all_named_minor <= goods_refunded_minor then all_named_minor else 0 end as amount
    from refund_sums

),

refund_totals as (

    select
        *,
        sum(weight) over (partition by shop_id, order_id) as total
    from refund_weights

),

refund_parts as (

    select
        shop_id,
        order_id,
        item_id,
        kept_minor,
        amount,
        {{ share_rounded_down('amount', 'weight', 'total') }} as rounded_down,
        {{ share_remainder('amount', 'weight', 'total') }} as remainder
    from refund_totals

),

refund_shares as (

    select
        shop_id,
        order_id,
        item_id,
        kept_minor
        + {{ share('amount', 'rounded_down', 'remainder', ['shop_id', 'order_id'], 'item_id') }} as refunded_minor
    from refund_parts

)

select
    items.shop_id,
    items.order_id,
    items.item_id,
    items.units,
    items.gross_minor,
    items.line_discount_minor,
    cast(
        case when items.net_minor is not null then coalesce(discount_shares.order_discount_minor, 0) end as bigint
    ) as order_discount_minor,
    cast(items.net_minor - coalesce(discount_shares.order_discount_minor, 0) as bigint) as revenue_minor,
    cast(case when items.net_minor is not null then coalesce(refund_shares.refunded_minor, 0) end as bigint) as refunded_minor,
    cast(
        items.net_minor
        - coalesce(discount_shares.order_discount_minor, 0)
        - coalesce(refund_shares.refunded_minor, 0) as bigint
    ) as net_revenue_minor,
    cast(coalesce(named.refunded_units, 0) as bigint) as refunded_units
from items
left join discount_shares
    on items.shop_id = discount_shares.shop_id
    and items.order_id = discount_shares.order_id
    and items.item_id = discount_shares.item_id
left join refund_shares
    on items.shop_id = refund_shares.shop_id
    and items.order_id = refund_shares.order_id
    and items.item_id = refund_shares.item_id
left join named on items.shop_id = named.shop_id and items.order_id = named.order_id and items.item_id = named.item_id
