with source as (

    select * from {{ source('lake', 'customer_exclusions') }}

)

select
    shop_id,
    rule_number,
    reason,
    person,
    is_prefix
from source
