-- A period that is over has its numbers, but for amounts of orders or refunds of which none has a rate, and one that is running
-- none; whoever founded a cohort was active in its first period.
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
    or (is_over and (orders = 0 or orders > orders_without_rate)) <> (paid_minor is not null)
    or (not is_over and coalesce(refunded_minor, net_minor, net_so_far_minor) is not null)
    or (paid_minor is null and refunded_minor is null and net_minor is not null)
    or (paid_minor is not null and refunded_minor is not null and net_minor is null)
    or (net_minor is null and (paid_minor <> 0 or refunded_minor <> 0))
    or (paid_minor <> 0 and net_so_far_minor is null)
    or retention not between 0 and 1
    or (period_number = 0 and retention < 1)
    or period_date > as_of_date
