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
    min(served_by) as served_by,
    min(model) as model,
    min(rules_version) as rules_version,
    min(arm) as arm, -- explored is before ranked
    {{ recommendation_measures() }}
from items
group by shop_id, request_id, placement
