with refunds as (

    select * from {{ ref('stg_lake__refunds') }}

)

select
    shop_id,
    order_id,
    {{ sum_minor('amount_minor') }} as refunded_minor,
    count(*) as refunds
from refunds
group by shop_id, order_id
