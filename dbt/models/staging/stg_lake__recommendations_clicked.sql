with source as (

    select * from {{ source('lake', 'events') }}

)

select
    shop_id,
    event_id,
    person_id,
    occurred_at as clicked_at,
    {{ json_text('line', '$.properties.request_id') }} as request_id,
    {{ json_text('line', '$.properties.placement') }} as placement,
    {{ json_text('line', '$.properties.item_id') }} as item_id
from source
where type = 'recommendation_clicked'
