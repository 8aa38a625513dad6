with funnels as (

    select * from {{ ref('int_session_funnels_nested') }}

)

select
    shop_id,
    started_date as shop_date,
    cast(count(*) as bigint) as sessions,
    {{ count_where('has_viewed') }} as viewed_sessions,
    {{ count_where('has_added') }} as cart_sessions,
    {{ count_where('has_checked_out') }} as checkout_sessions,
    {{ count_where('has_paid') }} as paid_sessions
from funnels
group by shop_id, started_date
