-- What a person did with an item within recommendation_hours after a recommendation of it goes to the last click before, and a
-- payment without such a click to the last time that the item was shown. That it followed does not say that it was caused.
with shown as (

    select * from {{ ref('int_recommended_items_shown') }}

),

clicked as (

    select * from {{ ref('int_recommended_items_clicked') }}

),

events as (

    select * from {{ ref('stg_lake__events') }}

),

orders as (

    select * from {{ ref('fct_orders') }}

),

order_items as (

    select * from {{ ref('fct_order_items') }}

),

-- Few of all.
recommended_persons as (

    select
        shop_id,
        person_id
    from shown
    union
    select
        shop_id,
        person_id
    from clicked

),

acts as (

    select
        shop_id,
        person_id,
        item_id,
        'add' as act,
        event_id as act_id,
        occurred_at as acted_at,
        cast(null as bigint) as units,
        cast(null as bigint) as revenue_minor,
        cast(null as bigint) as net_revenue_minor
    from events
    where
        type = 'item_added_to_cart'
        and item_id is not null
        and (shop_id, person_id) in (
            select
                recommended_persons.shop_id,
                recommended_persons.person_id
            from recommended_persons
        )
    union all
    select
        orders.shop_id,
        orders.person_id,
        order_items.item_id,
        'payment' as act,
        orders.order_id as act_id,
        orders.paid_at as acted_at,
        order_items.units,
        order_items.revenue_minor,
        order_items.net_revenue_minor
    from orders
    inner join order_items on orders.shop_id = order_items.shop_id and orders.order_id = order_items.order_id
    where (orders.shop_id, orders.person_id) in (
        select
            recommended_persons.shop_id,
            recommended_persons.person_id
        from recommended_persons
    )

),

after_clicks as (

    select
        acts.*,
        clicked.request_id,
        clicked.placement,
        row_number() over (
            partition by acts.shop_id, acts.act, acts.act_id, acts.item_id
            order by clicked.clicked_at desc, clicked.request_id desc, clicked.placement desc
        ) as clicks_since
    from acts
    inner join clicked
        on acts.shop_id = clicked.shop_id
        and acts.person_id = clicked.person_id
        and acts.item_id = clicked.item_id
        and acts.acted_at >= clicked.clicked_at
        and acts.acted_at <= clicked.clicked_at + interval '1' hour * ({{ var('recommendation_hours') }})

),

after_last_click as (

    select * from after_clicks
    where clicks_since = 1

),

after_showings as (

    select
        acts.*,
        shown.request_id,
        shown.placement,
        row_number() over (
            partition by acts.shop_id, acts.act, acts.act_id, acts.item_id
            order by shown.shown_at desc, shown.request_id desc, shown.placement desc
        ) as showings_since
    from acts
    inner join shown
        on acts.shop_id = shown.shop_id
        and acts.person_id = shown.person_id
        and acts.item_id = shown.item_id
        and acts.acted_at >= shown.shown_at
        and acts.acted_at <= shown.shown_at + interval '1' hour * ({{ var('recommendation_hours') }})
    left join after_last_click
        on acts.shop_id = after_last_click.shop_id
        and acts.act = after_last_click.act
        and acts.act_id = after_last_click.act_id
        and acts.item_id = after_last_click.item_id
    where acts.act = 'payment' and after_last_click.act_id is null

)

select
    shop_id,
    request_id,
    placement,
    item_id,
    'click' as followed,
    act,
    act_id,
    acted_at,
    units,
    revenue_minor,
    net_revenue_minor
from after_last_click
union all
select
    shop_id,
    request_id,
    placement,
    item_id,
    'showing' as followed,
    act,
    act_id,
    acted_at,
    units,
    revenue_minor,
    net_revenue_minor
from after_showings
where showings_since = 1
