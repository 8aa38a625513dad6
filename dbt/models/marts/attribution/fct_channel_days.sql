with credits as (

    select * from {{ ref('fct_attribution_credits') }}

),

spend as (

    select * from {{ ref('fct_spend') }}

),

effects as (

    select * from {{ ref('dim_channel_effects') }}

),

shops as (

    select * from {{ ref('dim_shops') }}

),

heuristic_models as (

    {% for model in heuristic_models() %}
        select '{{ model }}' as model
        {{ 'union all' if not loop.last }}
    {% endfor %}

),

models as (

    select
        shops.shop_id,
        heuristic_models.model
    from shops
    cross join heuristic_models
    union
    select
        shop_id,
        model
    from effects

),

-- Every model has a row where one of them has a credit, or money was spent: then a sum over models has each of them once.
places as (

    select
        shop_id,
        paid_date as shop_date,
        channel,
        campaign,
        sharer_id
    from credits
    union
    select
        shop_id,
        spend_date as shop_date,
        channel,
        campaign,
        cast(null as string) as sharer_id
    from spend

),

credited as (

    select
        shop_id,
        paid_date as shop_date,
        channel,
        campaign,
        sharer_id,
        model,
        {{ sum_minor('credit_millionths') }} as order_millionths,
        {{ sum_minor('case when is_first_kept_order then credit_millionths else 0 end') }} as customer_millionths,
        {{ sum_minor('case when net_minor is not null then credit_millionths end') }} as priced_millionths,
        {{ sum_minor_of_orders(
            'net_minor', 'credit_millionths', 'case when net_minor is not null then credit_millionths end'
        ) }} as net_minor
    from credits
    group by shop_id, paid_date, channel, campaign, sharer_id, model

),

-- No visit counts for an order that is paid later than attribution_lookback_days after it: what a channel brings after that was
-- bought by no spend.
paid_days as (

    select distinct
        places.shop_id,
        places.channel,
        places.shop_date
    from places
    inner join spend
        on places.shop_id = spend.shop_id
        and places.channel = spend.channel
        and spend.spend_date <= places.shop_date
        and places.shop_date <= {{ days_later('spend.spend_date', var('attribution_lookback_days')) }}
    where spend.spend_minor > 0

),

joined as (

    select
        places.shop_id,
        places.shop_date,
        places.channel,
        places.campaign,
        places.sharer_id,
        models.model,
        cast(coalesce(credited.order_millionths, 0) as double) / 1000000 as credited_orders,
        cast(coalesce(credited.customer_millionths, 0) as double) / 1000000 as new_customers,
        cast(coalesce(credited.priced_millionths, 0) as double) / 1000000 as priced_orders,
        cast(case when credited.order_millionths > 0 then credited.net_minor else 0 end as decimal(38, 0)) as net_minor,
        spend.spend_minor,
        paid_days.channel is not null as has_spend
    from places
    inner join models on places.shop_id = models.shop_id
    left join credited
        on places.shop_id = credited.shop_id
        and places.shop_date = credited.shop_date
        and places.channel = credited.channel
        and coalesce(places.campaign, '') = coalesce(credited.campaign, '')
        and coalesce(places.sharer_id, '') = coalesce(credited.sharer_id, '')
        and models.model = credited.model
    left join spend
        on places.shop_id = spend.shop_id
        and places.shop_date = spend.spend_date
        and places.channel = spend.channel
        and coalesce(places.campaign, '') = coalesce(spend.campaign, '')
        and places.sharer_id is null
    left join paid_days
        on places.shop_id = paid_days.shop_id
        and places.channel = paid_days.channel
        and places.shop_date = paid_days.shop_date

)

select
    shop_id,
    shop_date,
    channel,
    campaign,
    sharer_id,
    model,
    credited_orders,
    new_customers,
    priced_orders,
    net_minor,
    spend_minor,
    has_spend,
    cast(net_minor as double) / nullif(spend_minor, 0) as roas,
    cast(net_minor - spend_minor as double) / nullif(spend_minor, 0) as roi,
    cast(nullif(spend_minor, 0) as double) / nullif(new_customers, 0) as acquisition_cost_minor
from joined
