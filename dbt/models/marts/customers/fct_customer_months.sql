{{ config(materialized=incremental_on_duckdb(), pre_hook="{{ delete_where(is_touched_state()) }}") }}

with states as (

    select * from {{ now_written(ref('int_customer_states_scored')) }}

),

months as (

    select * from {{ ref('int_shop_months_spanned') }}

)

select
    states.shop_id,
    states.person_id,
    states.month,
    states.state_date as as_of_date,
    months.is_over,
    states.recency_days,
    states.orders,
    states.spent_minor,
    states.recency_score,
    states.frequency_score,
    states.monetary_score,
    states.segment,
    states.classic_segment,
    states.layer
from states
inner join months on states.shop_id = months.shop_id and states.month = months.month
