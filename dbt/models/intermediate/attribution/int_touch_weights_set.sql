{{ config(materialized=incremental_on_duckdb(), pre_hook="{{ delete_where(is_of_touched_weight()) }}") }}

-- Whole numbers, of which each touch of an order has its share of the credit: above 0 for at least one of them.
with touchpoints as (

    select * from {{ ref('fct_touchpoints') }}
    {% if is_incremental() %}where {{ is_touched('retouched') }} or {{ is_touched('fits') }}{% endif %}

),

effects as (

    select * from {{ ref('dim_channel_effects') }}

),

placed as (

    select
        *,
        max(case when not is_direct then touch_number end) over (
            partition by shop_id, order_id
        ) as last_non_direct_number,
        {{ epoch_ms('touched_at') }}
        - max({{ epoch_ms('touched_at') }}) over (partition by shop_id, order_id) as since_last_ms,
        count(*) over (partition by shop_id, order_id, channel) as touches_of_channel
    from touchpoints

),

heuristics as (

    {% for model in heuristic_models() %}
        select
            shop_id,
            order_id,
            touch_number,
            '{{ model }}' as model,
            cast({{ weight_of_touch(model) }} as bigint) as weight
        from placed
        {{ where_touched('retouched') }}
        {{ 'union all' if not loop.last }}
    {% endfor %}

),

fitted_shops as (

    select distinct
        shop_id,
        model
    from effects

),

-- Channels of an order are weighed by their effect for each order that they took part in, so that a large channel is not
-- preferred for being large; a channel's weight is in equal parts that of its touches. One that the fit did not see has none.
fitted as (

    select
        placed.shop_id,
        placed.order_id,
        placed.touch_number,
        fitted_shops.model,
        cast(round(
            1e15 * coalesce(effects.effect / nullif(effects.orders, 0), 0) / placed.touches_of_channel
        ) as bigint) as weight
    from placed
    inner join fitted_shops on placed.shop_id = fitted_shops.shop_id
    left join effects
        on placed.shop_id = effects.shop_id
        and fitted_shops.model = effects.model
        and placed.channel = effects.channel

),

fitted_or_equal as (

    select
        shop_id,
        order_id,
        touch_number,
        model,
        case when max(weight) over (partition by shop_id, order_id, model) > 0 then weight else 1 end as weight
    from fitted

),

all_models as (

    select * from heuristics
    union all
    select * from fitted_or_equal

)

select
    shop_id,
    order_id,
    touch_number,
    model,
    weight
from all_models
where weight > 0
