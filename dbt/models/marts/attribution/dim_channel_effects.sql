-- Effects are as of the marts before; a shop that the registry does not know any more has none.
with effects as (

    select * from {{ ref('stg_lake__channel_effects') }}

),

shops as (

    select * from {{ ref('dim_shops') }}

)

select
    effects.shop_id,
    effects.model,
    effects.channel,
    effects.as_of_date,
    effects.effect,
    effects.effect_low,
    effects.effect_high,
    effects.journeys,
    effects.orders
from effects
inner join shops on effects.shop_id = shops.shop_id
