with source as (

    select * from {{ source('lake', 'currencies') }}

)

select
    currency,
    minor_digits
from source
