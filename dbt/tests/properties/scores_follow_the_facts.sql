-- Within a shop, who bought later, more often or for more never scores worse, and who is last has a 1.
with customers as (

    select * from {{ ref('dim_customers') }}

),

facts as (

    select
        shop_id,
        person_id,
        'recency' as fact,
        -recency_days as amount,
        recency_score as score
    from customers
    union all
    select
        shop_id,
        person_id,
        'frequency' as fact,
        orders as amount,
        frequency_score as score
    from customers
    union all
    select
        shop_id,
        person_id,
        'monetary' as fact,
        spent_minor as amount,
        monetary_score as score
    from customers

),

ranked as (

    select
        shop_id,
        person_id,
        fact,
        score,
        max(score) over (
            partition by shop_id, fact order by amount range between unbounded preceding and current row
        ) as most_of_less,
        min(score) over (partition by shop_id, fact) as lowest
    from facts

)

select
    shop_id,
    person_id,
    fact,
    score
from ranked
where score < most_of_less or lowest <> 1 or score > 5
