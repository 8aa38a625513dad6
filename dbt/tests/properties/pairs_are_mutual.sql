-- Two items are bought together alike from either side (where the other side's best partners do not leave it out), never more
-- often than either is bought, and never less often than by chance.
with pairs as (

    select * from {{ ref('fct_item_pairs') }}

)

select
    pairs.shop_id,
    pairs.item_id,
    pairs.partner_item_id
from pairs
left join pairs as other_side
    on pairs.shop_id = other_side.shop_id
    and pairs.item_id = other_side.partner_item_id
    and pairs.partner_item_id = other_side.item_id
where
    pairs.item_id = pairs.partner_item_id
    or pairs.orders_together > least(pairs.orders, pairs.partner_orders)
    or greatest(pairs.orders, pairs.partner_orders) > pairs.all_orders
    or pairs.orders_together < {{ var('pair_least_orders') }}
    or pairs.partner_rank > {{ var('pair_most_partners') }}
    or pairs.lift <= 1
    or pairs.confidence < pairs.support
    or other_side.orders_together <> pairs.orders_together
    or other_side.lift <> pairs.lift
    or other_side.orders <> pairs.partner_orders
