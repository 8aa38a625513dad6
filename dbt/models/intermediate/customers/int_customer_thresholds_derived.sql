-- A month's thresholds come from the customers at the end of the month before it; where those are too few, from its own, and
-- are final when it is over.
with months as (

    select * from {{ ref('int_shop_months_spanned') }}

),

quintiles as (

    select * from {{ ref('int_customer_quintiles_cut') }}

),

repurchases as (

    select * from {{ ref('int_repurchase_days_cut') }}

),

scores as (

    select
        months.shop_id,
        months.month,
        same.measure,
        same.score,
        case when before.of_customers >= {{ least_known() }} then before.amount else same.amount end as amount,
        coalesce(before.of_customers >= {{ least_known() }}, false) or months.is_over as is_final
    from months
    inner join quintiles as same on months.shop_id = same.shop_id and months.month = same.month
    left join quintiles as before
        on same.shop_id = before.shop_id
        and {{ months_later('same.month', -1) }} = before.month
        and same.measure = before.measure
        and same.score = before.score

),

chosen as (

    select
        months.shop_id,
        months.month,
        coalesce(before.active_days, same.active_days) as active_days,
        coalesce(before.silent_days, same.silent_days) as silent_days,
        before.shop_id is not null or (same.shop_id is not null and months.is_over) as is_final
    from months
    left join repurchases as same
        on months.shop_id = same.shop_id
        and months.month = same.month
        and same.of_repurchases >= {{ least_known() }}
    left join repurchases as before
        on months.shop_id = before.shop_id
        and {{ months_later('months.month', -1) }} = before.month
        and before.of_repurchases >= {{ least_known() }}

),

days as (

    select
        shop_id,
        month,
        is_final,
        case when active_days is null then 'default' else 'computed' end as origin,
        coalesce(active_days, 30) as active_days,
        coalesce(greatest(active_days + 1, silent_days), 60) as silent_days
    from chosen

)

select
    shop_id,
    month,
    measure,
    cast(score as integer) as score,
    {{ as_bigint("case when measure = 'recency' then -amount else amount end") }} as threshold,
    'computed' as origin,
    is_final
from scores
{% for measure, threshold in (
    ('new_days', 'active_days'), ('active_days', 'active_days'), ('silent_days', 'silent_days'), ('asleep_days', '2 * silent_days')
) %}
    union all
    select
        shop_id,
        month,
        '{{ measure }}' as measure,
        1 as score,
        cast({{ threshold }} as bigint) as threshold,
        origin,
        is_final
    from days
{% endfor %}
union all
select
    shop_id,
    month,
    'high_value_score' as measure,
    1 as score,
    cast(5 as bigint) as threshold,
    'default' as origin,
    false as is_final
from days
