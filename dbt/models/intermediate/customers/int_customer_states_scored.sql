{{ config(
    materialized=incremental_on_duckdb(),
    pre_hook=["{{ keep_states_before() }}", "{{ delete_where(is_touched_state()) }}"],
    post_hook="{{ touch_months_of_changed_states() }}"
) }}

with states as (

    select * from {{ ref('int_customer_states_summed') }}
    {% if is_incremental() %}where {{ is_touched_state() }}{% endif %}

),

thresholds as (

    select * from {{ ref('dim_customer_thresholds') }}

),

by_month as (

    select
        shop_id,
        month,
        {% for measure in ('recency', 'frequency', 'monetary') %}
            {% for score in range(2, 6) %}
                max(case when measure = '{{ measure }}' and score = {{ score }} then threshold end)
                    as {{ measure }}_{{ score }},
            {% endfor %}
        {% endfor %}
    {% for measure in ('new_days', 'active_days', 'silent_days', 'asleep_days', 'high_value_score') %}
        max(case when measure = '{{ measure }}' then threshold end) as {{ measure }}{{ ',' if not loop.last }}
    {% endfor %}
    from thresholds
    group by shop_id, month

),

scored as (

    select
        states.shop_id,
        states.month,
        states.person_id,
        states.state_date,
        states.first_kept_date,
        states.last_kept_date,
        states.recency_days,
        states.orders,
        states.spent_minor,
        by_month.new_days,
        by_month.active_days,
        by_month.silent_days,
        by_month.asleep_days,
        by_month.high_value_score,
        case when states.spent_minor is not null then {{ score_of('states.recency_days', 'by_month.recency', '<=') }} end
            as recency_score,
        case when states.spent_minor is not null then {{ score_of('states.orders', 'by_month.frequency', '>=') }} end
            as frequency_score,
        case when states.spent_minor is not null then {{ score_of('states.spent_minor', 'by_month.monetary', '>=') }} end
            as monetary_score
    from states
    inner join by_month on states.shop_id = by_month.shop_id and states.month = by_month.month

),

described as (

    select
        *,
        frequency_score + monetary_score as worth,
        concat(
            case when recency_score >= 3 then 'R' else 'r' end,
            case when frequency_score >= 3 then 'F' else 'f' end,
            case when monetary_score >= 3 then 'M' else 'm' end
        ) as letters,
        orders = 1
        and cast({{ dbt.datediff('first_kept_date', 'state_date', 'day') }} as bigint) < new_days as is_new
    from scored

)

select
    shop_id,
    month,
    person_id,
    state_date,
    first_kept_date,
    last_kept_date,
    recency_days,
    orders,
    spent_minor,
    recency_score,
    frequency_score,
    monetary_score,
    case
        when recency_score is null then null
        when is_new and monetary_score = 5 then 'new_big_spenders'
        when is_new then 'new_customers'
        when worth >= 8 and recency_score >= 4 then 'champions'
        when worth >= 8 and recency_score = 3 then 'loyal'
        when worth >= 8 and recency_score = 2 then 'at_risk'
        when worth >= 8 then 'cannot_lose'
        when worth >= 6 and recency_score >= 4 then 'loyal'
        when worth >= 6 and recency_score = 3 then 'need_attention'
        when worth >= 6 then 'at_risk'
        when worth >= 4 and recency_score >= 4 then 'potential_loyalists'
        when worth >= 4 and recency_score = 3 then 'need_attention'
        when worth >= 4 then 'hibernating'
        when recency_score >= 4 then 'promising'
        when recency_score >= 2 then 'about_to_sleep'
        else 'lost'
    end as segment,
    case
        when recency_score is null then null
        when letters = 'RFM' then 'important_value'
        when letters = 'RfM' then 'important_development'
        when letters = 'rFM' then 'important_keeping'
        when letters = 'rfM' then 'important_winning_back'
        when letters = 'RFm' then 'general_value'
        when letters = 'Rfm' then 'general_development'
        when letters = 'rFm' then 'general_keeping'
        else 'general_winning_back'
    end as classic_segment,
    case
        when is_new then 'new'
        when recency_days > asleep_days then 'lost'
        when recency_days > silent_days then 'asleep'
        when recency_days > active_days then 'silent'
        when monetary_score >= high_value_score then 'high_value'
        else 'active'
    end as layer
from described
