-- Every act is in the session that silver put it into: a session has as many views, carts, checkouts and orders as it says.
with sessions as (

    select
        shop_id,
        session_key,
        events,
        views,
        adds,
        checkouts,
        orders
    from {{ ref('stg_lake__sessions') }}
    {{ only_in_day_build(is_touched('visits')) }}

),

acts as (

    select
        shop_id,
        session_key,
        count(*) as events,
        sum(case when type = 'item_viewed' then 1 else 0 end) as views,
        sum(case when type = 'item_added_to_cart' then 1 else 0 end) as adds,
        sum(case when type = 'checkout_started' then 1 else 0 end) as checkouts,
        sum(case when type = 'order_paid' then 1 else 0 end) as orders
    from {{ written_in_day_build(ref('int_acts_in_visits')) }}
    group by shop_id, session_key

)

{{ unequal('sessions', 'acts', ['shop_id', 'session_key'], ['events', 'views', 'adds', 'checkouts', 'orders']) }}
