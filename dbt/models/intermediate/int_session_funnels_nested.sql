with sessions as (

    select * from {{ ref('stg_lake__sessions') }}

)

select
    shop_id,
    session_key,
    started_date,
    views > 0 as has_viewed,
    views > 0 and adds > 0 as has_added,
    views > 0 and adds > 0 and checkouts > 0 as has_checked_out,
    views > 0 and adds > 0 and checkouts > 0 and orders > 0 as has_paid
from sessions
