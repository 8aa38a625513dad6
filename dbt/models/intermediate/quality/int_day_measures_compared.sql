-- usual: the median of the same weekday in the eight weeks before, of which four have to be known. spread: the median distance
-- from it, in standard deviations of a normal (× 1.4826), but no less than counting alone gives (√) nor than a tenth.
-- recent, lately: the median of the seven days before, and the better of this weekday's last two, so that a shop that grows or
-- fades is not taken for a broken one.
with measures as (

    select * from {{ ref('int_day_measures_stacked') }}

),

distances as (

    {% for days in range(1, 8) %}
        select
            'recent' as kind,
            {{ days }} as days
        union all
    {% endfor %}
    {% for weeks in range(1, 9) %}
        select
            'weekday' as kind,
            {{ 7 * weeks }} as days
        {{ 'union all' if not loop.last }}
    {% endfor %}

),

dates as (

    select
        measures.shop_id,
        measures.measure,
        measures.shop_date,
        measures.amount,
        distances.kind,
        distances.days,
        cast({{ days_later('measures.shop_date', '-distances.days') }} as date) as earlier_date
    from measures
    cross join distances
    where measures.is_looked_at

),

earlier as (

    select
        dates.shop_id,
        dates.measure,
        dates.shop_date,
        dates.kind,
        dates.days,
        dates.amount,
        measures.amount as earlier_amount
    from dates
    inner join measures
        on dates.shop_id = measures.shop_id
        and dates.measure = measures.measure
        and dates.earlier_date = measures.shop_date

),

medians as (

    select
        shop_id,
        measure,
        shop_date,
        amount,
        median(case when kind = 'weekday' then earlier_amount end) as usual,
        median(case when kind = 'recent' then earlier_amount end) as recent,
        max(case when kind = 'weekday' and days <= 14 then earlier_amount end) as lately
    from earlier
    group by shop_id, measure, shop_date, amount
    having count(case when kind = 'weekday' then 1 end) >= 4 and count(case when kind = 'recent' then 1 end) >= 4

),

deviations as (

    select
        medians.shop_id,
        medians.measure,
        medians.shop_date,
        median(abs(earlier.earlier_amount - medians.usual)) as deviation
    from medians
    inner join earlier
        on medians.shop_id = earlier.shop_id
        and medians.measure = earlier.measure
        and medians.shop_date = earlier.shop_date
    where earlier.kind = 'weekday'
    group by medians.shop_id, medians.measure, medians.shop_date

)

select
    medians.shop_id,
    medians.measure,
    medians.shop_date,
    medians.amount,
    medians.usual,
    medians.recent,
    coalesce(medians.lately, medians.usual) as lately,
    greatest(1.4826 * deviations.deviation, sqrt(medians.usual), 0.1 * medians.usual) as spread
from medians
inner join deviations
    on medians.shop_id = deviations.shop_id
    and medians.measure = deviations.measure
    and medians.shop_date = deviations.shop_date
