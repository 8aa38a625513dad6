with source as (

    select * from {{ source('lake', 'decisions') }}

)

select
    shop_id,
    request_id,
    item_id,
    served_by,
    model,
    rules_version,
    arm
from source
where item_id is not null
