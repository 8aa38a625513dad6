-- Probabilities are shares, expectations lie within their intervals, and a value is purchases times amount.
with forecasts as (

    select * from {{ ref('fct_customer_values') }}

),

calibration as (

    select * from {{ ref('fct_value_calibration') }}

)

select
    shop_id,
    person_id
from forecasts
where
    probability_alive not between 0 and 1
    or expected_purchases < 0
    or expected_purchases not between expected_purchases_low and expected_purchases_high
    or expected_value_minor not between expected_value_minor_low and expected_value_minor_high
    or abs(expected_value_minor - expected_purchases * expected_amount_minor) > 0.000001 * abs(expected_value_minor)
    or (expected_value_minor is null) <> (expected_amount_minor is null)
union all
select
    shop_id,
    cast(repeat_purchases as string) as person_id
from calibration
where
    customers < 1
    or cut_date >= as_of_date
    or actual_purchases < 0
    or expected_purchases not between expected_purchases_low and expected_purchases_high
