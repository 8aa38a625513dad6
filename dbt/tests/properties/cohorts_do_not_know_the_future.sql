-- A period that is over has its numbers, one that is running none; whoever founded a cohort was active in its first period.
with cohorts as (

    select * from {{ ref('fct_cohorts') }}

)

select
    shop_id,
    period,
    cohort_date,
    period_number
from cohorts
where
    is_over <> (retention is not null)
    or is_over <> (net_minor is not null)
    or retention not between 0 and 1
    or (period_number = 0 and retention < 1)
    or period_date > as_of_date
