{{ config(materialized=incremental_on_duckdb(), pre_hook="{{ delete_where(is_touched('months')) }}") }}

-- The whole matrix of each month after the first, empty cells too. Who was excluded or has no known amount is in none.
with states as (

    select * from {{ ref('int_customer_states_scored') }}

),

months as (

    select * from {{ ref('int_shop_months_spanned') }}

),

segments as (

    select * from {{ ref('dim_segments') }}

),

named as (

    {% for scheme, column in (('rfm', 'segment'), ('classic', 'classic_segment'), ('layer', 'layer')) %}
        select
            shop_id,
            person_id,
            month,
            {{ months_later('month', 1) }} as next_month,
            '{{ scheme }}' as scheme,
            {{ column }} as segment
        from states
        where
            {{ column }} is not null
            {% if is_incremental() -%}
                and ({{ is_touched('months') }} or {{ is_touched('months', months_later('month', 1)) }})
            {%- endif %}
        {{ 'union all' if not loop.last }}
    {% endfor %}

),

earlier as (

    select named.*
    from named
    inner join months on named.shop_id = months.shop_id and named.next_month = months.month

),

moved as (

    select
        coalesce(named.shop_id, earlier.shop_id) as shop_id,
        coalesce(named.month, earlier.next_month) as month,
        coalesce(named.scheme, earlier.scheme) as scheme,
        coalesce(earlier.segment, 'not_a_customer') as from_segment,
        coalesce(named.segment, 'not_a_customer') as to_segment
    from named
    full outer join earlier
        on named.shop_id = earlier.shop_id
        and named.person_id = earlier.person_id
        and named.month = earlier.next_month
        and named.scheme = earlier.scheme

),

counted as (

    select
        shop_id,
        month,
        scheme,
        from_segment,
        to_segment,
        count(*) as customers
    from moved
    group by shop_id, month, scheme, from_segment, to_segment

),

first_months as (

    select
        shop_id,
        min(month) as month
    from months
    group by shop_id

),

cells as (

    select
        months.shop_id,
        months.month,
        months.is_over,
        sources.scheme,
        sources.segment as from_segment,
        targets.segment as to_segment
    from months
    inner join first_months on months.shop_id = first_months.shop_id and months.month > first_months.month
    cross join segments as sources
    inner join segments as targets on sources.scheme = targets.scheme
    where
        (sources.segment <> 'not_a_customer' or targets.segment <> 'not_a_customer')
        {% if is_incremental() %}and {{ is_touched('months', rows='months') }}{% endif %}

),

filled as (

    select
        cells.shop_id,
        cells.month,
        cells.is_over,
        cells.scheme,
        cells.from_segment,
        cells.to_segment,
        cast(coalesce(counted.customers, 0) as bigint) as customers
    from cells
    left join counted
        on cells.shop_id = counted.shop_id
        and cells.month = counted.month
        and cells.scheme = counted.scheme
        and cells.from_segment = counted.from_segment
        and cells.to_segment = counted.to_segment

)

select
    shop_id,
    month,
    scheme,
    from_segment,
    to_segment,
    is_over,
    customers,
    case
        when from_segment <> 'not_a_customer'
            then cast(customers as double) / nullif(
                sum(customers) over (partition by shop_id, month, scheme, from_segment), 0
            )
    end as share_of_from
from filled
