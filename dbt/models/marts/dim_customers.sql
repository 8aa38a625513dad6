with orders as (

    select * from {{ ref('fct_orders') }}

),

last_days as (

    select
        shop_id,
        max(paid_date) as last_date
    from orders
    group by shop_id

),

customers as (

    select
        orders.shop_id,
        orders.person_id,
        min(orders.paid_date) as first_paid_date,
        max(orders.paid_date) as last_paid_date,
        cast({{ dbt.datediff('max(orders.paid_date)', 'max(last_days.last_date)', 'day') }} as bigint) as recency_days,
        cast(count(*) as bigint) as orders,
        {{ sum_minor('orders.net_minor') }} as spent_minor
    from orders
    inner join last_days on orders.shop_id = last_days.shop_id
    where orders.person_id is not null
    group by orders.shop_id, orders.person_id

),

scored as (

    select
        customers.*,
        {{ quintile('recency_days desc') }} as recency_score,
        {{ quintile('orders') }} as frequency_score,
        {{ quintile('spent_minor') }} as monetary_score
    from customers

),

named as (

    select
        scored.*,
        concat(
            case when scored.recency_score >= 3 then 'R' else 'r' end,
            case when scored.frequency_score >= 3 then 'F' else 'f' end,
            case when scored.monetary_score >= 3 then 'M' else 'm' end
        ) as rfm
    from scored

)

select
    shop_id,
    person_id,
    first_paid_date,
    last_paid_date,
    recency_days,
    orders,
    spent_minor,
    recency_score,
    frequency_score,
    monetary_score,
    case rfm
        when 'RFM' then 'champions'
        when 'RfM' then 'big spenders to develop'
        when 'rFM' then 'valuable, going quiet'
        when 'rfM' then 'big spenders to win back'
        when 'RFm' then 'loyal, small baskets'
        when 'Rfm' then 'new or promising'
        when 'rFm' then 'regulars going quiet'
        else 'lost'
    end as segment,
    case rfm
        when 'RFM' then '重要价值'
        when 'RfM' then '重要发展'
        when 'rFM' then '重要保持'
        when 'rfM' then '重要挽留'
        when 'RFm' then '一般价值'
        when 'Rfm' then '一般发展'
        when 'rFm' then '一般保持'
        else '一般挽留'
    end as segment_zh
from named
