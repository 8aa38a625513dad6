with sessions as (

    select * from {{ ref('fct_sessions') }}

)

select
    shop_id,
    started_date as shop_date,
    channel,
    device,
    visitor_type,
    cast(count(*) as bigint) as sessions,
    {{ count_where('has_viewed') }} as viewed_sessions,
    {{ count_where('has_added') }} as cart_sessions,
    {{ count_where('has_checked_out') }} as checkout_sessions,
    {{ count_where('has_paid') }} as paid_sessions,
    {{ count_where("paid_path = 'without_cart'") }} as paid_without_cart_sessions,
    {{ count_where("paid_path = 'other'") }} as paid_otherwise_sessions,
    {{ count_where('paid_path is not null') }} as paying_sessions
from sessions
where is_visit and not is_bot
group by shop_id, started_date, channel, device, visitor_type
