with baskets as (

    select * from {{ ref('int_baskets_capped') }}

),

items as (

    select * from {{ ref('stg_lake__items') }}

),

shops as (

    select
        shop_id,
        cast(count(distinct order_id) as bigint) as all_orders
    from baskets
    group by shop_id

),

frequent as (

    select
        shop_id,
        item_id,
        cast(count(*) as bigint) as orders
    from baskets
    group by shop_id, item_id
    having count(*) >= {{ var('pair_least_orders') }}

),

-- An item that is too rare by itself is too rare with any other.
kept as (

    select
        baskets.shop_id,
        baskets.order_id,
        baskets.item_id
    from baskets
    inner join frequent on baskets.shop_id = frequent.shop_id and baskets.item_id = frequent.item_id

),

together as (

    select
        one.shop_id,
        one.item_id,
        other.item_id as partner_item_id,
        cast(count(*) as bigint) as orders_together
    from kept as one
    inner join kept as other
        on one.shop_id = other.shop_id and one.order_id = other.order_id and one.item_id < other.item_id
    group by one.shop_id, one.item_id, other.item_id
    having count(*) >= {{ var('pair_least_orders') }}

),

both_ways as (

    select
        shop_id,
        item_id,
        partner_item_id,
        orders_together
    from together
    union all
    select
        shop_id,
        partner_item_id as item_id,
        item_id as partner_item_id,
        orders_together
    from together

),

-- Only what is bought together more often than by chance (lift above 1).
lifted as (

    select
        both_ways.shop_id,
        both_ways.item_id,
        both_ways.partner_item_id,
        both_ways.orders_together,
        mine.orders,
        theirs.orders as partner_orders,
        shops.all_orders,
        row_number() over (
            partition by both_ways.shop_id, both_ways.item_id
            order by both_ways.orders_together desc, theirs.orders asc, both_ways.partner_item_id asc
        ) as partner_rank
    from both_ways
    inner join shops on both_ways.shop_id = shops.shop_id
    inner join frequent as mine on both_ways.shop_id = mine.shop_id and both_ways.item_id = mine.item_id
    inner join frequent as theirs
        on both_ways.shop_id = theirs.shop_id and both_ways.partner_item_id = theirs.item_id
    where both_ways.orders_together * shops.all_orders > mine.orders * theirs.orders

)

select
    lifted.shop_id,
    lifted.item_id,
    lifted.partner_item_id,
    cast(lifted.partner_rank as bigint) as partner_rank,
    items.title,
    items.title_en,
    items.category,
    lifted.orders_together,
    lifted.orders,
    lifted.partner_orders,
    lifted.all_orders,
    {{ ratio('lifted.orders_together', 'lifted.all_orders') }} as support,
    {{ ratio('lifted.orders_together', 'lifted.orders') }} as confidence,
    {{ ratio('lifted.orders_together * lifted.all_orders', '(lifted.orders * lifted.partner_orders)') }} as lift
from lifted
left join items on lifted.shop_id = items.shop_id and lifted.partner_item_id = items.item_id
where lifted.partner_rank <= {{ var('pair_most_partners') }}
