with parameters as (

    select * from {{ ref('stg_lake__customer_value_parameters') }}

),

shops as (

    select * from {{ ref('dim_shops') }}

)

select
    parameters.shop_id,
    parameters.parameter,
    parameters.as_of_date,
    parameters.estimate,
    parameters.low,
    parameters.high
from parameters
inner join shops on parameters.shop_id = shops.shop_id and parameters.currency = shops.currency
