with items as (

    select * from {{ ref('int_recommended_items_traced') }}

)

select
    shop_id,
    request_id,
    placement,
    min(shown_at) as shown_at,
    min(shown_date) as shown_date,
    min(person_id) as person_id,
    min(model_version) as model_version,
    min(person_kind) as person_kind,
    {{ recommendation_measures() }}
from items
group by shop_id, request_id, placement
