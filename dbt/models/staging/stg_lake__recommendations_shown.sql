with source as (

    select * from {{ source('lake', 'events') }}

)

select
    shop_id,
    event_id,
    person_id,
    occurred_at as shown_at,
    occurred_date as shown_date,
    {{ json_text('line', '$.properties.request_id') }} as request_id,
    {{ json_text('line', '$.properties.placement') }} as placement,
    {{ json_text('line', '$.properties.model_version') }} as model_version,
    {{ json_text('line', '$.properties.is_person_known') }} as is_person_known,
    {{ json_texts('line', '$.properties.item_ids') }} as item_ids,
    {{ json_texts('line', '$.properties.reasons') }} as reasons
from source
where type = 'recommendation_shown'
