with source as (

    select * from {{ source('lake', 'customer_value_parameters') }}

)

select
    shop_id,
    parameter,
    as_of_date,
    currency,
    estimate,
    low,
    high
from source
