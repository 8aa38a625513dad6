{{ config(materialized=incremental_on_duckdb(), pre_hook="{{ delete_where(is_touched('orders')) }}") }}

with order_lines as (

    select * from {{ ref('stg_lake__order_lines') }}
    {{ where_touched('orders') }}

),

rated as (

    select * from {{ now_written(ref('int_orders_rated')) }}

),

-- before_minor: what the order's earlier lines came to, so that rounding adds up (jishi.contract.home_money).
in_other_currencies as (

    select
        order_lines.shop_id,
        order_lines.order_id,
        order_lines.line_number,
        cast(coalesce(sum(cast(order_lines.net_minor as decimal(38, 0))) over (
            partition by order_lines.shop_id, order_lines.order_id
            order by order_lines.line_number
            rows between unbounded preceding and 1 preceding
        ), 0) as decimal(38, 0)) as before_minor
    from order_lines
    inner join rated on order_lines.shop_id = rated.shop_id and order_lines.order_id = rated.order_id
    where not rated.is_home

),

dated as (

    select
        order_lines.*,
        rated.is_home,
        rated.is_stamped,
        rated.numerator,
        rated.denominator,
        in_other_currencies.before_minor
    from order_lines
    inner join rated on order_lines.shop_id = rated.shop_id and order_lines.order_id = rated.order_id
    left join in_other_currencies
        on order_lines.shop_id = in_other_currencies.shop_id
        and order_lines.order_id = in_other_currencies.order_id
        and order_lines.line_number = in_other_currencies.line_number

)

select
    shop_id,
    order_id,
    line_number,
    person_id,
    paid_at,
    paid_date,
    item_id,
    quantity,
    case
        when is_home then quantity * unit_price_minor
        when numerator is not null
            then {{ in_home('(before_minor + quantity * unit_price_minor)') }} - {{ in_home('before_minor') }}
        when is_stamped then home_gross_minor
    end as gross_minor,
    case
        when is_home then discount_minor
        when numerator is not null
            then
                {{ in_home('(before_minor + net_minor + discount_minor)') }}
                - {{ in_home('(before_minor + net_minor)') }}
        when is_stamped then home_discount_minor
    end as discount_minor,
    case
        when is_home then net_minor
        when numerator is not null
            then {{ in_home('(before_minor + net_minor)') }} - {{ in_home('before_minor') }}
        when is_stamped then home_net_minor
    end as net_minor
from dated
