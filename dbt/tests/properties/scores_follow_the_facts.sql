-- Within a shop and month, who bought later, more often or for more never scores worse, and equals score alike; who is best in
-- all three is not lost, unless the shop set thresholds of its own.
with customer_months as (

    select * from {{ ref('fct_customer_months') }}
    {{ only_in_day_build(is_touched('months')) }}

),

thresholds as (

    select * from {{ ref('dim_customer_thresholds') }}

),

facts as (

    {% for fact, amount, score in (
        ('recency', '-recency_days', 'recency_score'),
        ('frequency', 'orders', 'frequency_score'),
        ('monetary', 'spent_minor', 'monetary_score')
    ) %}
        select
            shop_id,
            month,
            person_id,
            segment,
            '{{ fact }}' as fact,
            {{ amount }} as amount,
            {{ score }} as score
        from customer_months
        where recency_score is not null
        {{ 'union all' if not loop.last }}
    {% endfor %}

),

ranked as (

    select
        shop_id,
        month,
        person_id,
        segment,
        fact,
        score,
        max(score) over (
            partition by shop_id, month, fact order by amount range between unbounded preceding and current row
        ) as most_of_no_more,
        amount = max(amount) over (partition by shop_id, month, fact) as is_best
    from facts

),

of_customers as (

    select
        shop_id,
        month,
        person_id,
        max(segment) as segment,
        max(case when score < most_of_no_more then 1 else 0 end) as is_worse,
        min(case when is_best then 1 else 0 end) as is_best
    from ranked
    group by shop_id, month, person_id

),

set_by_shop as (

    select distinct shop_id
    from thresholds
    where origin = 'set' and measure in ('recency', 'frequency', 'monetary')

)

select
    of_customers.shop_id,
    of_customers.month,
    of_customers.person_id,
    of_customers.segment
from of_customers
left join set_by_shop on of_customers.shop_id = set_by_shop.shop_id
where
    of_customers.is_worse = 1
    or (of_customers.is_best = 1 and of_customers.segment = 'lost' and set_by_shop.shop_id is null)
