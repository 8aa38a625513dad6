with orders as (

    select * from {{ ref('int_customer_orders_kept') }}

),

exclusions as (

    select * from {{ ref('stg_lake__customer_exclusions') }}

),

persons as (

    select distinct
        shop_id,
        person_id
    from orders

),

matched as (

    select
        persons.shop_id,
        persons.person_id,
        exclusions.reason,
        row_number() over (
            partition by persons.shop_id, persons.person_id order by exclusions.rule_number
        ) as place
    from persons
    inner join exclusions
        on persons.shop_id = exclusions.shop_id
        and ({{ rule_means('exclusions', 'persons.person_id') }})

)

select
    shop_id,
    person_id,
    reason
from matched
where place = 1
