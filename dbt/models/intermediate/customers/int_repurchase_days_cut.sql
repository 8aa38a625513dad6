-- Days between the days on which a customer bought, of all customers up to the end of a month: three of four repurchases come
-- within active_days, nine of ten within silent_days.
with months as (

    select * from {{ ref('int_shop_months_spanned') }}

),

orders as (

    select * from {{ ref('int_customer_orders_kept') }}

),

excluded as (

    select * from {{ ref('int_persons_excluded') }}

),

days as (

    select distinct
        orders.shop_id,
        orders.person_id,
        orders.paid_date
    from orders
    left join excluded on orders.shop_id = excluded.shop_id and orders.person_id = excluded.person_id
    where orders.kept_until is null and excluded.person_id is null

),

paired as (

    select
        shop_id,
        paid_date,
        lag(paid_date) over (partition by shop_id, person_id order by paid_date) as paid_before
    from days

),

gaps as (

    select
        shop_id,
        paid_date,
        cast({{ dbt.datediff('paid_before', 'paid_date', 'day') }} as bigint) as days_between
    from paired
    where paid_before is not null

),

counted as (

    select
        months.shop_id,
        months.month,
        gaps.days_between,
        count(*) as repurchases
    from months
    inner join gaps on months.shop_id = gaps.shop_id and gaps.paid_date <= months.state_date
    group by months.shop_id, months.month, gaps.days_between

),

ranked as (

    select
        shop_id,
        month,
        days_between,
        sum(repurchases) over (
            partition by shop_id, month order by days_between rows between unbounded preceding and current row
        ) as upto,
        sum(repurchases) over (partition by shop_id, month) as of_repurchases
    from counted

)

select
    shop_id,
    month,
    max(of_repurchases) as of_repurchases,
    min(case when 4 * upto >= 3 * of_repurchases then days_between end) as active_days,
    min(case when 10 * upto >= 9 * of_repurchases then days_between end) as silent_days
from ranked
group by shop_id, month
