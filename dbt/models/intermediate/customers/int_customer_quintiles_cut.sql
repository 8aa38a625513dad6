-- The threshold of score k is the least value whose middle rank is (k − 1) / 5 of the customers or more; where none is, one
-- unit more than the best has. Recency counts down, so its values are negative days.
with states as (

    select * from {{ ref('int_customer_states_summed') }}

),

amounts as (

    select
        shop_id,
        month,
        'recency' as measure,
        cast(-recency_days as decimal(38, 0)) as amount
    from states
    where spent_minor is not null
    union all
    select
        shop_id,
        month,
        'frequency' as measure,
        cast(orders as decimal(38, 0)) as amount
    from states
    where spent_minor is not null
    union all
    select
        shop_id,
        month,
        'monetary' as measure,
        spent_minor as amount
    from states
    where spent_minor is not null

),

counted as (

    select
        shop_id,
        month,
        measure,
        amount,
        count(*) as customers
    from amounts
    group by shop_id, month, measure, amount

),

ranked as (

    select
        shop_id,
        month,
        measure,
        amount,
        2 * sum(customers) over (
            partition by shop_id, month, measure order by amount rows between unbounded preceding and current row
        ) - customers as twice_middle_rank,
        sum(customers) over (partition by shop_id, month, measure) as of_customers
    from counted

),

scores as (

    {% for score in range(2, 6) %}
        select {{ score }} as score
        {{ 'union all' if not loop.last }}
    {% endfor %}

)

select
    ranked.shop_id,
    ranked.month,
    ranked.measure,
    scores.score,
    max(ranked.of_customers) as of_customers,
    coalesce(
        min(case when 5 * ranked.twice_middle_rank >= 2 * (scores.score - 1) * ranked.of_customers then ranked.amount end),
        max(ranked.amount) + 1
    ) as amount
from ranked
cross join scores
group by ranked.shop_id, ranked.month, ranked.measure, scores.score
